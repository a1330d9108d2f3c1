import Testing
import Tuning
