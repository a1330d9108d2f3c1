import Testing
import Serving
