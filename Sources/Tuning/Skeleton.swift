import Jobs
import Search
import Training
