import Glibc
import Models
import TestSupport
import Testing

@Suite("Training as a program")
struct TrainCommandTests {
  private let options = [
    "--num_layers", "20", "--image-shape", "3,28,28", "--resize", "32", "--mini-batch-size", "4",
    "--learning-rate", "0.01", "--seed", "3",
  ]

  private func train(_ folder: String, _ more: [String], meanwhile: (pid_t) -> Void = { _ in }) -> ProgramRun
  {
    imrec.run(
      ["train", "--train", "in.rec", "--validation", "in.rec"] + options + more, in: folder, seconds: 300,
      meanwhile: meanwhile)
  }

  @Test("leaves a model, its metrics and a report, and logs SageMaker's lines")
  func whole() throws {
    try withRecords { (folder) throws in
      writeScratchFile(folder + "/names", "a\nb\n".utf8)
      let run = train(
        folder, ["--model-dir", "m", "--epochs", "2", "--archive", "--json", "--classes", "names"])
      #expect(run.status == 0, "\(run)")
      for name in ["model.tar.gz", "metrics.jsonl", "training.html", "classes.txt", "preprocess.json"] {
        #expect(scratchNames(folder + "/m").contains(name))
      }
      #expect(readScratchFile(folder + "/m/metrics.jsonl").split(separator: "\n").count == 2)
      let model = try Model(folder + "/m/model.tar.gz")
      #expect(model.classes == Array("a\nb\n".utf8))
      for words in [
        "---- Parameters ----\n", "\nEpoch[1] Train-accuracy=", "\nEpoch[1] Validation-accuracy=",
      ] {
        #expect(run.errors.contains(words), "\(run)")
      }
      #expect(run.output.contains("\"best_validation_accuracy\""))
    }
  }

  @Test(
    "stopped by a signal, it writes a checkpoint; resumed, it reaches the weights of an uninterrupted run")
  func interrupted() throws {
    try withRecords { (folder) throws in
      let stopped = train(folder, ["--model-dir", "a", "--epochs", "4"]) { pid in
        for _ in 0..<3000 where scratchNames(folder + "/a/checkpoints").isEmpty { usleep(5000) }
        kill(pid, SIGTERM)
      }
      #expect(stopped.status == 1 && stopped.errors.contains("with --resume to continue"), "\(stopped)")
      #expect(train(folder, ["--model-dir", "a", "--epochs", "4", "--resume"]).status == 0)
      #expect(train(folder, ["--model-dir", "b", "--epochs", "4"]).status == 0)
      for name in scratchNames(folder + "/b") where name.hasSuffix(".params") {
        #expect(readScratchBytes(folder + "/a/" + name) == readScratchBytes(folder + "/b/" + name))
      }
      let other = train(folder, ["--model-dir", "a", "--epochs", "4", "--resume", "--momentum", "0.5"])
      #expect(
        other.status == 1 && other.errors.contains("a training with momentum 0.9; in this run it is 0.5"))
    }
  }

  @Test("with bfloat16 it goes on to the weights of a run that was left alone, and never with other numbers")
  func precision() throws {
    try withRecords { (folder) throws in
      func weights(_ model: String) -> [String: [UInt8]] {
        finalFiles(folder + "/" + model).filter { $0.key.hasSuffix(".params") }
      }
      let half = ["--precision", "bf16"]
      #expect(train(folder, ["--model-dir", "a", "--epochs", "1"] + half).status == 0)
      #expect(train(folder, ["--model-dir", "a", "--epochs", "2", "--resume"] + half).status == 0)
      #expect(train(folder, ["--model-dir", "b", "--epochs", "2"] + half).status == 0)
      #expect(train(folder, ["--model-dir", "c", "--epochs", "2"]).status == 0)
      #expect(weights("a") == weights("b") && weights("b") != weights("c"))
      let other = train(folder, ["--model-dir", "a", "--epochs", "3", "--resume"])
      #expect(
        other.status == 1 && other.errors.contains("a training with precision bf16; in this run it is fp32"),
        "\(other)")
    }
  }

  @Test("a finished model is replaced only on request; one that another training is writing is not replaced")
  func used() throws {
    try withRecords { (folder) throws in
      func model() -> [String: [UInt8]] { finalFiles(folder + "/m") }
      #expect(train(folder, ["--model-dir", "m", "--epochs", "1"]).status == 0)
      let former = model()
      let again = train(folder, ["--model-dir", "m", "--epochs", "2"])
      #expect(
        again.status == 1 && again.errors.contains("this file of a previous training would be overwritten")
          && again.errors.contains("--overwrite"), "\(again)")
      let elsewhere = train(folder, ["--model-dir", "n", "--output-dir", "m", "--epochs", "1"])
      #expect(elsewhere.status == 1 && elsewhere.errors.contains("m/metrics.jsonl"), "\(elsewhere)")
      #expect(model() == former && former[".imrec.lock"] == nil)
      let replaced = train(
        folder, ["--model-dir", "m", "--epochs", "2", "--overwrite", "--seed", "4", "--archive"])
      #expect(replaced.status == 0 && model() != former, "\(replaced)")
      let both = train(folder, ["--model-dir", "m", "--resume", "--overwrite"])
      #expect(both.status == 64, "\(both)")

      let long = ["--model-dir", "l", "--epochs", "100000"]
      let first = train(folder, long) { pid in
        for _ in 0..<3000 where scratchNames(folder + "/l/checkpoints").isEmpty { usleep(5000) }
        for more in [["--resume"], ["--overwrite"]] {
          let second = train(folder, long + more)
          #expect(
            second.status == 1 && second.errors.contains("it is in use by process \(pid), since"), "\(second)"
          )
        }
        kill(pid, SIGTERM)
      }
      #expect(first.status == 1 && first.errors.contains("with --resume to continue"), "\(first)")
    }
  }

  @Test("a progress line shows how much of the training is done and how long the rest takes")
  func rest() throws {
    try withRecords { (folder) throws in
      let run = train(folder, ["--model-dir", "m", "--epochs", "4"])
      let lines = run.errors.split(separator: "\n").filter { $0.contains("% of the training is done; ETA ") }
      #expect(lines.map { $0.prefix(4) } == ["25 %", "50 %", "75 %"], "\(run)")
    }
  }

  @Test("in a container a failure is in the file where SageMaker looks for it, and in the log")
  func container() throws {
    try withRecords { (folder) throws in
      for channel in ["train", "validation"] {
        writeScratchFile(
          folder + "/ml/input/data/\(channel)/d.rec", readScratchBytes(folder + "/in.rec") ?? [])
      }
      let config = folder + "/ml/input/config/hyperparameters.json"
      writeScratchFile(config, #"{"num_classes": "2"}"#.utf8)
      let failed = imrec.run(["train", "--opt-ml", "ml"], in: folder)
      #expect(failed.status == 1 && failed.errors.contains("Customer Error: "), "\(failed)")
      let reason = readScratchFile(folder + "/ml/output/failure")
      #expect(
        reason.hasPrefix("ClientError: The hyperparameter 'num_training_samples' is required"), "\(reason)")
    }
  }
}
