"""What happens around every call: counting, the access log, statuses of errors."""

from server.interceptors.access_log import AccessLog
from server.interceptors.call import Call, Interceptor, Proceed
from server.interceptors.chain import CallChain
from server.interceptors.counting import Counting
from server.interceptors.errors import Errors

__all__ = ["AccessLog", "Call", "CallChain", "Counting", "Errors", "Interceptor", "Proceed"]
