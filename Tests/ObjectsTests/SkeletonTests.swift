import Testing
import Objects
