import Testing
import Signatures
