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

  @Test("leaves a model, its figures and a report, and says so in SageMaker's lines")
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

  @Test("asked to end it writes a checkpoint; resumed it has the weights of a run that was left alone")
  func interrupted() throws {
    try withRecords { (folder) throws in
      let stopped = train(folder, ["--model-dir", "a", "--epochs", "4"]) { pid in
        for _ in 0..<3000 where scratchNames(folder + "/a/checkpoints").isEmpty { usleep(5000) }
        kill(pid, SIGTERM)
      }
      #expect(stopped.status == 1 && stopped.errors.contains("--resume goes on after it"), "\(stopped)")
      #expect(train(folder, ["--model-dir", "a", "--epochs", "4", "--resume"]).status == 0)
      #expect(train(folder, ["--model-dir", "b", "--epochs", "4"]).status == 0)
      for name in scratchNames(folder + "/b") where name.hasSuffix(".params") {
        #expect(readScratchBytes(folder + "/a/" + name) == readScratchBytes(folder + "/b/" + name))
      }
      let other = train(folder, ["--model-dir", "a", "--epochs", "4", "--resume", "--momentum", "0.5"])
      #expect(other.status == 1 && other.errors.contains("a training with momentum 0.9; here it is 0.5"))
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
