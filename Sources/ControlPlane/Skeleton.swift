import GRDB
import Jobs
import Objects
import Tuning
