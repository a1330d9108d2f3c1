import Testing
import ControlPlane
