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
  /// Runs `body` as what this process is. An error that all ranks share is said by one of them; none is left waiting for
  /// one that has failed.
  ///
  /// - Throws: alone, what `body` throws; else, `ExitCode`: what went wrong has been said.
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
      // Done, with some images skipped: the others have ended well.
      if let code = error as? ExitCode {
        exchange.leave()
        throw code
      }
      guard let speaker = ranks.speaker else {
        // The others know nothing of it, and may be waiting for this one.
        let status = Imrec.report(error)
        exchange.abort(status: status)
        throw ExitCode(status)
      }
      let status = speaker == ranks.rank ? Imrec.report(error) : ExitStatus.failed
      exchange.leave()
      throw ExitCode(status)
    }
  #endif

  /// The threads of this rank: the cores that it may use. Where it may use all of a machine, its share of them.
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

/// Several processes that cannot reach each other: each would train by itself and write over the others' files.
struct UnusableLaunch: Error {
  let count: Int
  let isBuiltWithMPI: Bool

  var sentence: String {
    "this is one of \(count) processes that were started to train together, and it "
      + (isBuiltWithMPI ? "cannot reach the others" : "was built without MPI")
      + ": each would write over the others' model"
  }

  var remedy: String {
    isBuiltWithMPI
      ? "Start it with Open MPI's own mpirun, of the version that it was built with."
      : "Build it with: swift build -c release --traits MPI (on Debian it needs libopenmpi-dev); or start it without mpirun."
  }
}
