import Files
import Glibc
import Hyperparameters
import Jobs
import Synchronization
import TestSupport
import Testing

@testable import Tuning

@Suite("A job as a process")
struct TrainingProcessTests {
  /// A shell script in the place of imrec; `$dir` is the job's folder.
  private func runner(_ folder: String, _ script: String, _ asked: TuningRequest) throws -> TrainingProcess {
    let program = folder + "/program"
    writeScratchFile(
      program,
      """
      #!/bin/sh
      while [ $# -gt 0 ]; do [ "$1" = --output-dir ] && dir=$2; shift; done
      epoch() { # number accuracy loss is-best
        echo "{\\"epoch\\":$1,\\"validation_accuracy\\":$2,\\"validation_loss\\":$3,\\"is_best\\":${4:-true},\\(rest)}" >>"$dir/all"
        cp "$dir/all" "$dir/new"; mv "$dir/new" "$dir/metrics.jsonl"
        echo "Epoch[$1] Validation-accuracy=$2"
      }
      \(script)
      """.replacing("\\(rest)", with: Self.rest).utf8)
    chmod(program, 0o755)
    var runner = TrainingProcess(
      folder: folder, inputs: TrainingInputs(train: .records("t.rec"), validation: .records("v.rec")),
      objective: try Objective(asked))
    runner.program = program
    return runner
  }

  /// What else a line of metrics.jsonl has.
  private static let rest =
    [
      "images", "train_loss", "train_accuracy", "validation_images", "learning_rate", "seconds",
      "images_per_second",
      "data_seconds", "forward_seconds", "backward_seconds", "update_seconds", "validation_seconds",
    ].map { "\\\"\($0)\\\":0" }.joined(separator: ",") + ",\\\"shape\\\":[3,28,28]"

  private func run(
    _ runner: TrainingProcess, known: Int = 0, stopAfter: Int = .max
  ) async throws -> (JobOutcome, [JobProgress]) {
    let seen = Mutex<[JobProgress]>([])
    let outcome = try await runner.run(
      JobOrder(name: "job", number: 1, hyperparameters: ["a": "1"], resumes: known > 0, known: known)
    ) { progress in
      seen.withLock {
        $0.append(progress)
        return $0.count >= stopAfter ? .stop : .goOn
      }
    }
    return (outcome, seen.withLock { $0 })
  }

  @Test("says the objective of each epoch, and that of the epoch that is kept")
  func metrics() async throws {
    try await withScratchFolder { folder in
      let script = "epoch 0 0.2 3; epoch 1 0.6 2; epoch 2 0.4 1 false"
      let (outcome, seen) = try await run(
        try runner(folder, script, try request(metric: "validation:loss", type: "Minimize")))
      #expect(outcome == .completed && seen == [.init(3, kept: 3), .init(2, kept: 2), .init(1, kept: 2)])
      #expect(readScratchFile(folder + "/job/hyperparameters.json").contains("\"a\" : \"1\""))
      let (_, late) = try await run(try runner(folder, "epoch 3 0.9 9; exit 2", try request()), known: 3)
      #expect(late == [.init(0.9, kept: 0.9)], "known ones are not said again")
    }
  }

  @Test("finds it in the log, where MetricDefinitions say how")
  func pattern() async throws {
    try await withScratchFolder { folder in
      let asked = try request(
        metric: "mine",
        definition:
          #""AlgorithmSpecification": {"MetricDefinitions": [{"Name": "mine", "Regex": "Validation-accuracy=(\\S+)"}]}"#
      )
      let (outcome, seen) = try await run(
        try runner(
          folder, "echo; echo Validation-accuracy=none; epoch 0 0.3 1; epoch 1 nan 1; epoch 2 0.1 1", asked))
      #expect(outcome == .completed && seen.map(\.kept) == [0.3, 0.3, 0.3])
      #expect(seen[0].value == 0.3 && seen[1].value.isNaN && seen[2].value == 0.1)
    }
  }

  @Test("is read by any pattern in the time that its lines have")
  func slowPattern() async throws {
    try await withScratchFolder { folder in
      let row = #"{"Name": "mine", "Regex": "(?:(?:a+)+)+$|=(.*)"}"#
      let asked = try request(
        metric: "mine", definition: "\"AlgorithmSpecification\": {\"MetricDefinitions\": [\(row)]}")
      let script = "head -c 5000 /dev/zero | tr '\\0' a; echo '!'; epoch 0 0.3 1"
      let (outcome, seen) = try await run(try runner(folder, script, asked))
      #expect(outcome == .completed && seen.map(\.value) == [0.3])
    }
  }

  @Test("with checkpoint_frequency is judged by the last epoch that it stores")
  func frequency() async throws {
    try await withScratchFolder { folder in
      let asked = try request(
        statics: #""num_layers": "20", "image_shape": "3,28,28", "checkpoint_frequency": "2""#)
      let script = "epoch 0 0.9 1; epoch 1 0.6 1 false; epoch 2 0.7 1 false; epoch 3 0.5 1 false"
      let (_, seen) = try await run(try runner(folder, script, asked))
      #expect(seen.map(\.kept) == [0.9, 0.6, 0.6, 0.5])
    }
  }

  @Test("learns from manifests by the labels that AttributeNames names")
  func manifests() async throws {
    try await withScratchFolder { folder in
      var runner = try runner(folder, "exit 0", try request())
      writeScratchFile(runner.program, "#!/bin/sh\necho \"$@\"\n".utf8)
      var (one, other) = (ManifestOptions(), ManifestOptions())
      (one.label, other.label) = ("kind", "class")
      (one.labelsAreClassIDs, other.labelsAreClassIDs) = (true, true)
      let program = runner.program
      runner = TrainingProcess(
        folder: folder, inputs: TrainingInputs(train: .manifest("t", one), validation: .manifest("v", other)),
        objective: try Objective(try request()))
      runner.program = program
      _ = try await run(runner)
      let log = readScratchFile(folder + "/job/train.log")
      #expect(
        log.contains(
          "train --train t --label-attribute kind --validation v --validation-label-attribute class --label-format class-id "
        ), "\(log)")
    }
  }

  @Test("that fails says what the program said last, or how it ended")
  func failures() async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/job/train.log", "imrec: an old reason\n".utf8)
      let (said, _) = try await run(
        try runner(folder, "echo 'imrec: the disk is full'; echo '  Make room'; exit 1", try request()))
      #expect(said == .failed("the disk is full"))
      let (unsaid, _) = try await run(try runner(folder, "exit 9", try request()))
      #expect(unsaid == .failed("it exited with status 9"))
      let (killed, _) = try await run(try runner(folder, "kill -9 $$", try request()))
      #expect(killed == .failed("it was ended by signal 9 (Killed)"))
    }
  }

  @Test("is stopped when the answer says so, and when its own time is over")
  func stopped() async throws {
    try await withScratchFolder { folder in
      let script = "trap 'exit 1' TERM; epoch 0 0.3 1; while :; do sleep 0.05; done"
      let (outcome, seen) = try await run(try runner(folder, script, try request()), stopAfter: 1)
      #expect(outcome == .stopped && seen.count == 1)
      var limited = try runner(folder, "exec sleep 600", try request())
      limited.timeLimit = .milliseconds(200)
      #expect(try await run(limited).0 == .stopped)
    }
  }
}
