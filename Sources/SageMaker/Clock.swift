import Glibc

/// Seconds since 1970, to the microsecond.
@Sendable public func secondsSince1970() -> Double {
  var time = timespec()
  _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec / 1000) / 1e6
}
