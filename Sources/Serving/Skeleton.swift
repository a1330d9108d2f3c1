import ControlPlane
import Hummingbird
import Metrics
import Mustache
import Objects
