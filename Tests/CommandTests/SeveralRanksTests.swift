import Glibc
import Models
import TestSupport
import Testing

/// Whether this build can train on several ranks, and what starts them is there.
private let canRunRanks: Bool = {
  #if MPI
    Program.isInstalled("mpirun")
  #else
    false
  #endif
}()

/// Each test has processes of its own that keep the cores busy while they wait for each other.
@Suite("Training on several ranks, as a program", .serialized)
struct SeveralRanksTests {
  private let options = [
    "train", "--train", "in.rec", "--validation", "in.rec", "--num_layers", "20", "--image-shape", "3,28,28",
    "--resize", "32", "--augmentation-type", "crop", "--learning-rate", "0.0001", "--seed", "3", "--threads",
    "1",
  ]
  private static let environment = [
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    // Not every container lets a process read another's memory; Open MPI would say so.
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
  ]

  /// - Parameter other: arguments of the second rank alone.
  private func ranks(
    _ folder: String, _ more: [String], other: [String] = [], meanwhile: (pid_t) -> Void = { _ in }
  ) -> ProgramRun {
    let second = other.isEmpty ? [] : [":", "-n", "1", imrec.path] + options + more + other
    return imrec.run(
      options + more + second, in: folder, environment: Self.environment,
      wrapper: ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", other.isEmpty ? "2" : "1"],
      seconds: 300,
      meanwhile: meanwhile)
  }

  /// The processes that mpirun has started, in the order of their ranks.
  private func processes(of launcher: pid_t) -> [pid_t] {
    readScratchText("/proc/\(launcher)/task/\(launcher)/children").split(separator: " ").compactMap {
      pid_t($0)
    }
    .sorted()
  }

  /// `/proc` says of its files that they are empty.
  private func readScratchText(_ path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  private func waitForCheckpoint(_ folder: String) {
    for _ in 0..<6000 where scratchNames(folder + "/checkpoints").isEmpty { usleep(5000) }
  }

  /// How far apart two trainings have learnt, of all that they have learnt: by the optimiser's momentum, of which the
  /// sum in the place of the mean, or a rank's own part in the place of all, would be most.
  private func distance(_ one: String, _ other: String) throws -> Double {
    let learnt = try [one, other].map { try Parameters(file: $0 + "/checkpoints/imrec-checkpoint.params") }
    var sums = (difference: 0.0, whole: 0.0)
    for name in learnt[0].names where name.hasPrefix("optimizer/momentum:") {
      for (one, other) in zip(try learnt[0].values(of: name), try learnt[1].values(of: name)) {
        sums.difference += Double((one - other) * (one - other))
        sums.whole += Double(one * one)
      }
    }
    return (sums.difference / sums.whole).squareRoot()
  }

  @Test(
    "two ranks learn what one learns with twice the batch, and write and say everything once",
    .enabled(if: canRunRanks))
  func equality() throws {
    try withRecords(each: 7) { (folder) throws in
      // Its two threads have the same parts of a batch as the two ranks. Two steps: later ones make more and more of
      // the last bits' differences, those of other numbers of threads as well.
      let one = imrec.run(
        options + ["--model-dir", "one", "--epochs", "2", "--mini-batch-size", "14", "--threads", "2"],
        in: folder, seconds: 300)
      #expect(one.status == 0, "\(one)")
      let two = ranks(
        folder,
        [
          "--model-dir", "two", "--epochs", "2", "--mini-batch-size", "7", "--json", "--kv_store",
          "dist_async",
        ])
      #expect(two.status == 0, "\(two)")
      #expect(
        two.errors.contains("kv_store dist_async has no effect: hosts always train synchronously"), "\(two)")
      for words in ["---- Parameters ----", "Epoch[1] Train-accuracy=", "Epoch[1] Validation-accuracy="] {
        #expect(two.errors.components(of: words) == 1, "\(two)")
      }
      #expect(two.output.components(of: "\"best_validation_accuracy\"") == 1, "\(two)")
      #expect(
        two.output.contains("\"ranks\" : 2") && two.output.contains("\"validation_images\" : 14"), "\(two)")
      #expect(readScratchFile(folder + "/two/metrics.jsonl").contains("\"images\":14"))
      #expect(scratchNames(folder + "/two") == scratchNames(folder + "/one"))
      let distance = try distance(folder + "/one", folder + "/two")
      #expect(distance < 1e-4)
    }
  }

  @Test(
    "stopping one rank makes all of them write one checkpoint; resumed, they reach the weights of an uninterrupted run",
    .enabled(if: canRunRanks))
  func interrupted() throws {
    try withRecords { (folder) throws in
      let common = ["--epochs", "4", "--mini-batch-size", "2", "--checkpoint-every", "1"]
      let stopped = ranks(folder, common + ["--model-dir", "a"]) { launcher in
        waitForCheckpoint(folder + "/a")
        if let rank = processes(of: launcher).last { kill(rank, SIGTERM) }
      }
      #expect(stopped.status == 1 && !stopped.hasHung, "\(stopped)")
      #expect(stopped.errors.components(of: "with --resume to continue") == 1, "\(stopped)")
      let alone = imrec.run(
        options + common + ["--model-dir", "a", "--resume"], in: folder, seconds: 300)
      #expect(alone.status == 1 && alone.errors.contains("a training with ranks 2"), "\(alone)")
      #expect(ranks(folder, common + ["--model-dir", "a", "--resume"]).status == 0)
      #expect(ranks(folder, common + ["--model-dir", "b"]).status == 0)
      let names = scratchNames(folder + "/b").filter { $0.hasSuffix(".params") }
      #expect(!names.isEmpty)
      for name in names {
        #expect(readScratchBytes(folder + "/a/" + name) == readScratchBytes(folder + "/b/" + name))
      }
    }
  }

  @Test(
    "a failure on one rank ends all of them, and its message is printed once", .enabled(if: canRunRanks),
    arguments: [
      (["--train", "missing.rec"], "missing.rec"),
      (["--momentum", "0.5"], "checkpoint of rank 1 differ from those of rank 0"),
      (["--mini-batch-size", "13"], "The number of input images must be bigger"),
    ])
  func failing(_ row: (other: [String], words: String)) throws {
    try withRecords { (folder) throws in
      let run = ranks(
        folder, ["--epochs", "1", "--mini-batch-size", "2", "--model-dir", "m"], other: row.other)
      #expect(run.status == 1 && !run.hasHung, "\(run)")
      #expect(run.errors.components(of: row.words) == 1, "\(run)")
    }
  }

  @Test("images that disappear during a run end all ranks with one message", .enabled(if: canRunRanks))
  func vanishing() throws {
    try withRecords { (folder) throws in
      let run = ranks(
        folder,
        [
          "--epochs", "1000", "--mini-batch-size", "2", "--model-dir", "m", "--train", "in.lst", "--root",
          "photos",
        ]
      ) { _ in
        waitForCheckpoint(folder + "/m")
        rename(folder + "/photos", folder + "/gone")
      }
      #expect(run.status == 1 && !run.hasHung, "\(run)")
      #expect(run.errors.components(of: "the folder was moved or removed") == 1, "\(run)")
    }
  }

  @Test(
    "a rank that is killed takes the others with it; what its last checkpoint holds stays",
    .enabled(if: canRunRanks))
  func killed() throws {
    try withRecords { (folder) throws in
      let run = ranks(folder, ["--epochs", "1000", "--mini-batch-size", "2", "--model-dir", "m"]) {
        launcher in
        waitForCheckpoint(folder + "/m")
        if let rank = processes(of: launcher).last { kill(rank, SIGKILL) }
      }
      #expect(run.status != 0 && !run.hasHung, "\(run)")
      #expect(
        ranks(folder, ["--epochs", "1", "--mini-batch-size", "2", "--model-dir", "m", "--resume"]).status == 0
      )
    }
  }

  @Test("started as one of several that it cannot reach, it says what to do and trains nothing")
  func unreachable() throws {
    try withRecords { (folder) throws in
      let run = imrec.run(
        options + ["--epochs", "1", "--mini-batch-size", "2", "--model-dir", "m"], in: folder,
        environment: ["PMI_SIZE": "2"])
      #expect(run.status == 1 && run.errors.contains("this is one of 2 processes"), "\(run)")
      #if MPI
        #expect(run.errors.contains("Start it with the mpirun of the Open MPI version"), "\(run)")
      #else
        #expect(run.errors.contains("swift build -c release --traits MPI"), "\(run)")
      #endif
      #expect(scratchNames(folder + "/m").isEmpty)
    }
  }
}

extension String {
  /// How often these words stand in it.
  fileprivate func components(of words: String) -> Int {
    indices.count { self[$0...].hasPrefix(words) }
  }
}
