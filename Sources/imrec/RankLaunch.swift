import ArgumentParser
import Glibc
import Networks
import Terminal
import Training

#if MPI
  import MessagePassing
#endif

/// How the program was started: alone, or by `mpirun` as one of several ranks.
enum RankLaunch {
  /// Runs `body` as one of several ranks if `mpirun` started this process, otherwise alone. An error of all ranks is
  /// reported by one of them, and no rank waits for one that has failed.
  ///
  /// - Throws: alone, what `body` throws; as one of several ranks, `ExitCode` after the error has been reported.
  static func run(_ body: (Ranks) throws -> Void) throws {
    guard let count = number("OMPI_COMM_WORLD_SIZE") ?? number("PMI_SIZE"), count > 1 else {
      return try body(Ranks())
    }
    #if MPI
      guard number("OMPI_COMM_WORLD_SIZE") != nil, let exchange = OpenMPIExchange(),
        exchange.rankCount == count
      else { throw UnusableLaunch(count: count, isBuiltWithMPI: true) }
      let ranks = Ranks(exchange)
      do {
        try body(ranks)
        exchange.leave()
      } catch {
        try end(error, ranks, exchange)
      }
    #else
      throw UnusableLaunch(count: count, isBuiltWithMPI: false)
    #endif
  }

  #if MPI
    private static func end(_ error: any Error, _ ranks: Ranks, _ exchange: OpenMPIExchange) throws -> Never {
      // Rank 0 is done but skipped some images; the other ranks have succeeded.
      if let code = error as? ExitCode {
        exchange.leave()
        throw code
      }
      guard let speaker = ranks.speaker else {
        // The other ranks do not know of this error, and may be waiting for this one.
        let status = Imrec.report(error)
        exchange.abort(status: status)
        throw ExitCode(status)
      }
      let status = speaker == ranks.rank ? Imrec.report(error) : ExitStatus.failed
      exchange.leave()
      throw ExitCode(status)
    }
  #endif

  /// The default number of threads: the cores that this process may use, divided among the ranks on this machine unless
  /// the process is already bound to some of the cores.
  static var threadCount: Int {
    let cores = Workers.coreCount
    guard cores >= sysconf(Int32(_SC_NPROCESSORS_ONLN)), let local = number("OMPI_COMM_WORLD_LOCAL_SIZE")
    else {
      return cores
    }
    return max(1, cores / max(1, local))
  }

  private static func number(_ variable: String) -> Int? {
    guard let text = unsafe getenv(variable) else { return nil }
    return unsafe Int(String(cString: text))
  }
}

/// The processes cannot communicate: each would train by itself and overwrite the others' files.
struct UnusableLaunch: Error {
  let count: Int
  let isBuiltWithMPI: Bool

  var sentence: String {
    "this is one of \(count) processes started to train together, but it "
      + (isBuiltWithMPI ? "cannot reach the others" : "was built without MPI")
      + "; each would overwrite the others' model"
  }

  var remedy: String {
    isBuiltWithMPI
      ? "Start it with the mpirun of the Open MPI version that it was built with."
      : "Build it with: swift build -c release --traits MPI (Debian: install libopenmpi-dev first), or start it without mpirun."
  }
}
