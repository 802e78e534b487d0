"""Makes ``twistd chatd`` known."""

from twisted.application.service import ServiceMaker

chatd = ServiceMaker("chatd", "chatd.tap", "An encrypted chat daemon.", "chatd")
