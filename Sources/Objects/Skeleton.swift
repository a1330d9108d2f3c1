import AsyncHTTPClient
import Crypto
import Signatures
