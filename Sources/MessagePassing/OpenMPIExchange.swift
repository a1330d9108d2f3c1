#if MPI
  internal import COpenMPI
  public import Networks

  /// The ranks that `mpirun` has started, on this machine and others: Open MPI adds up what they find.
  ///
  /// There is one of it in a process. Where a rank is lost Open MPI ends all others, with its own words.
  @safe public final class OpenMPIExchange: GradientExchange {
    public let rank: Int
    public let rankCount: Int
    /// 4 MiB: large enough for the network's full speed, small enough for the first ones to leave early.
    public let bucketSize = 1 << 20
    private var requests: [MPI_Request?] = unsafe []
    /// What the requests write to.
    private var buckets: [GradientBucket] = []

    /// Waits until all processes have come. Nil where the library has been left already, or cannot take calls from any
    /// thread.
    public init?() {
      guard ranks_state() == 0, ranks_join() != 0 else { return nil }
      rank = Int(ranks_own())
      rankCount = Int(ranks_count())
    }

    public func sum(_ numbers: inout [Double]) {
      let count = numbers.count
      // MPI counts in 32 bits.
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

    /// Waits for all ranks to leave, too. After it none of the calls above may follow.
    public func leave() { ranks_leave() }

    /// Ends all ranks at once, wherever they are.
    public func abort(status: Int32) { ranks_abort(status) }
  }
#endif
