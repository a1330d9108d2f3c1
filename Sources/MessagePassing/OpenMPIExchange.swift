#if MPI
  internal import COpenMPI
  public import Networks

  /// Sums numbers over the ranks that `mpirun` started, on this machine and others, by Open MPI.
  ///
  /// A process has one exchange. If a rank is lost, Open MPI ends all others and prints a message of its own.
  @safe public final class OpenMPIExchange: GradientExchange {
    public let rank: Int
    public let rankCount: Int
    /// 4 MiB of numbers: enough for the full speed of the interconnect, few enough that the first bucket leaves early.
    public let bucketSize = 1 << 20
    private var requests: [MPI_Request?] = unsafe []
    /// The memory that the requests write to.
    private var buckets: [GradientBucket] = []

    /// Joins the other ranks, and waits until all have joined. Nil if this process has left Open MPI already, or if Open
    /// MPI does not accept calls from any thread.
    public init?() {
      guard ranks_state() == 0, ranks_join() != 0 else { return nil }
      rank = Int(ranks_own())
      rankCount = Int(ranks_count())
    }

    public func sum(_ numbers: inout [Double]) {
      let count = numbers.count
      // MPI's counts have 32 bits.
      for start in stride(from: 0, to: count, by: 1 << 24) {
        unsafe numbers.withUnsafeMutableBufferPointer { numbers in
          guard let memory = numbers.baseAddress else { return }
          unsafe ranks_sum(memory + start, Int32(min(1 << 24, count - start)))
        }
      }
    }

    public func begin(_ bucket: GradientBucket) {
      buckets.append(bucket)
      let range = bucket.range
      for start in stride(from: range.lowerBound, to: range.upperBound, by: bucketSize) {
        var request: MPI_Request?
        let count = Int32(min(bucketSize, range.upperBound - start))
        unsafe ranks_begin_sum(bucket.memory.start + start, count, &request)
        unsafe requests.append(request)
      }
    }

    public func advance() {
      if unsafe requests.isEmpty { return }
      unsafe ranks_advance(Int32(requests.count), &requests)
    }

    public func finish() {
      unsafe ranks_wait(Int32(requests.count), &requests)
      unsafe requests = []
      buckets = []
    }

    /// Leaves Open MPI, and waits until all ranks do. No other call may follow, except `abort`.
    public func leave() { ranks_leave() }

    /// Ends all ranks at once, whatever they are doing, with an exit status.
    public func abort(status: Int32) { ranks_abort(status) }
  }
#endif
