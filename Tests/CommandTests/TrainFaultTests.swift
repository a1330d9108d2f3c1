import Glibc
import Models
import TestSupport
import Testing

/// A small training of drawn images: three batches an epoch.
private let options = [
  "--train", "in.rec", "--validation", "in.rec", "--num-layers", "20", "--image-shape", "3,28,28", "--resize",
  "32", "--mini-batch-size", "4", "--learning-rate", "0.01", "--seed", "3", "--augmentation-type",
  "crop_color_transform",
]

private func train(
  _ folder: String, _ more: [String], wrapper: [String] = [], meanwhile: (pid_t) -> Void = { _ in }
) -> ProgramRun {
  imrec.run(
    ["train"] + options + more, in: folder, wrapper: wrapper, seconds: 300, meanwhile: meanwhile)
}

/// The parameters and figures of a model's folder, without what a clock says.
private func results(_ folder: String) -> [String: [UInt8]] {
  var files: [String: [UInt8]] = [:]
  for name in scratchNames(folder) where name.hasSuffix(".params") {
    files[name] = readScratchBytes("\(folder)/\(name)")
  }
  return files
}

/// `key` of each line of a folder's `metrics.jsonl`.
private func metrics(_ folder: String, _ key: String) -> [Substring] {
  readScratchFile(folder + "/metrics.jsonl").split(separator: "\n").compactMap { line in
    line.split(separator: "\"\(key)\":").last?.prefix { $0 != "," && $0 != "}" }
  }
}

@Suite("A training that meets a fault")
struct TrainFaultTests {
  @Test(
    "killed in the middle of an epoch, it continues from its last checkpoint and ends with the bits of an uninterrupted run",
    arguments: [
      ["--ema-decay", "0.9", "--mixup-alpha", "0.3"], ["--optimizer", "adam", "--progressive-start", "16"],
    ])
  func killed(_ more: [String]) throws {
    try withRecords { (folder) throws in
      let shared = more + ["--epochs", "3", "--checkpoint-every", "1"]
      for kills in 0..<2 {
        let checkpoint = folder + "/a/checkpoints/imrec-checkpoint.params"
        let before = identity(checkpoint)
        let run = train(folder, shared + ["--model-dir", "a", "--resume"]) { pid in
          // The second kill comes after a checkpoint of its own run.
          for _ in 0..<60_000 where identity(checkpoint) == before { usleep(100) }
          kill(pid, SIGKILL)
        }
        #expect(run.signal == SIGKILL, "\(kills): \(run)")
        #expect(throws: Never.self) { try Parameters(file: checkpoint) }
      }
      let last = train(folder, shared + ["--model-dir", "a", "--resume"])
      #expect(last.status == 0 && last.errors.contains("Resuming from the checkpoint: epoch "), "\(last)")
      #expect(train(folder, shared + ["--model-dir", "b"]).status == 0)
      #expect(!results(folder + "/b").isEmpty && results(folder + "/a") == results(folder + "/b"))
      for key in ["train_loss", "validation_loss", "learning_rate", "train_accuracy"] {
        let figures = metrics(folder + "/b", key)
        #expect(figures.count == 3 && metrics(folder + "/a", key) == figures, "\(key)")
      }
    }
  }

  // A checkpoint of this network has 2.3 MB, its parameters 1.1.
  @Test("without room for a checkpoint it continues, says so, and leaves its model")
  func noRoomForCheckpoint() throws {
    try withRecords { (folder) throws in
      let run = train(
        folder, ["--model-dir", "m", "--epochs", "2"], wrapper: ["prlimit", "--fsize=1500000"])
      #expect(run.status == 0, "\(run)")
      let words = "warning: the checkpoint could not be written: "
      #expect(run.errors.ranges(of: words).count == 2, "\(run)")
      #expect(scratchNames(folder + "/m/checkpoints").filter { !$0.hasSuffix(".partial") } == [])
      #expect(try Model(folder + "/m").parameters.names.contains("fc1_weight"))
      #expect(metrics(folder + "/m", "epoch").count == 2)
    }
  }

  @Test(
    "without room for the model it trains to the end, fails with a message, and leaves no partial model"
  )
  func noRoomForModel() throws {
    try withRecords { (folder) throws in
      let run = train(
        folder, ["--model-dir", "m", "--epochs", "2"], wrapper: ["prlimit", "--fsize=500000"])
      #expect(run.status == 1, "\(run)")
      #expect(run.errors.contains("It is kept in memory and tried again later"), "\(run)")
      #expect(run.errors.contains("Free some disk space, then run the command with --resume"), "\(run)")
      #expect(results(folder + "/m") == [:])
      #expect(metrics(folder + "/m", "epoch").count == 2)
    }
  }

  @Test("a loss of NaN ends it with advice; the model of an earlier run stays")
  func diverged() throws {
    try withRecords { (folder) throws in
      #expect(train(folder, ["--model-dir", "m", "--epochs", "1"]).status == 0)
      let former = results(folder + "/m")
      // Divides by a mean square that stays 0.
      let rootless = ["--optimizer", "rmsprop", "--gamma", "1", "--eps", "0"]
      let run = train(
        folder, ["--model-dir", "m", "--overwrite", "--epochs", "2", "--checkpoint-every", "1"] + rootless)
      #expect(run.status == 1, "\(run)")
      #expect(
        run.errors.contains(
          "the loss became NaN or infinite: epoch 0, batch 1, learning rate 0.01. No model has been stored"),
        "\(run)")
      #expect(run.errors.contains("Lower learning_rate (for example to 0.001)"), "\(run)")
      #expect(run.errors.contains("the weights contain NaN or infinity: no checkpoint is written"), "\(run)")
      #expect(former.count == 1 && results(folder + "/m") == former)
    }
  }
}

/// Which file stands under a name: each has a number of its own.
private func identity(_ path: String) -> UInt? {
  var info = stat()
  return stat(path, &info) == 0 ? UInt(info.st_ino) : nil
}
