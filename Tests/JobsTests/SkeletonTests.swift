import Testing
import Jobs
