import Glibc
import TestSupport
import Testing

@Suite("Tuning as a program")
struct TuneCommandTests {
  /// A request of small trainings of `in.rec`.
  private func write(
    _ folder: String, strategy: String = "Random", jobs: Int = 3, parallel: Int = 1, epochs: Int = 2,
    config: String = "", ranges: String = Self.ranges, train: String = "in.rec", more: String = ""
  ) {
    writeScratchFile(
      folder + "/request.json",
      """
      {"HyperParameterTuningJobName": "small", "HyperParameterTuningJobConfig": {"Strategy": "\(strategy)",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:accuracy"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": \(jobs), "MaxParallelTrainingJobs": \(parallel)},
        \(config) "ParameterRanges": {\(ranges)}},
       "TrainingJobDefinition": {
        "StaticHyperParameters": {"num_layers": "20", "image_shape": "3,28,28", "resize": "32",
          "mini_batch_size": "4", "epochs": "\(epochs)", "seed": "3"}, \(more)
        "InputDataConfig": [
          {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "\(train)"}}},
          {"ChannelName": "validation", "DataSource": {"S3DataSource": {"S3Uri": "file://\(folder)/in.rec"}}}]}}
      """.utf8)
  }

  private static let ranges =
    #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1"}]"#

  private func tune(_ folder: String, _ more: [String] = [], meanwhile: (pid_t) -> Void = { _ in })
    -> ProgramRun
  {
    imrec.run(
      ["tune", "request.json", "--output", "out", "--threads", "1"] + more, in: folder, seconds: 300,
      meanwhile: meanwhile)
  }

  private func jobs(_ folder: String) -> [String] {
    scratchNames(folder + "/out").filter { $0.hasPrefix("small-") }
  }

  /// Every line of the metrics of every job, without what a clock says.
  private func figures(_ folder: String) -> [String] {
    jobs(folder).flatMap { job in
      readScratchFile("\(folder)/out/\(job)/metrics.jsonl").split(separator: "\n").map { line in
        ["\"epoch\":", "\"train_loss\":", "\"validation_accuracy\":"].compactMap { key in
          line.firstRange(of: key).map { line[$0.upperBound...].prefix { $0 != "," && $0 != "}" } }
        }.joined(separator: " ")
      }.map { "\(job) \($0)" }
    }
  }

  /// Waits until something holds, five minutes at most.
  private func wait(_ holds: () -> Bool) {
    for _ in 0..<30_000 {
      if holds() { return }
      usleep(10_000)
    }
  }

  /// The trainings of a run: processes in whose command line the folder's jobs stand.
  private func trainings(of folder: String) -> [Int32] {
    scratchNames("/proc").compactMap { Int32($0) }.filter { pid in
      let words = readScratchFile("/proc/\(pid)/cmdline").split(separator: "\0")
      return words.dropFirst().first == "train" && readLink("/proc/\(pid)/cwd") == folder
    }
  }

  private func readLink(_ path: String) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count - 1)
    return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  @Test("leaves a table, the best model, its descriptions and a folder a job")
  func whole() throws {
    try withRecords { (folder) throws in
      write(
        folder, parallel: 2, more: "\"OutputDataConfig\": {\"S3OutputPath\": \"file://\(folder)/models\"},")
      let run = tune(folder)
      #expect(run.status == 0, "\(run)")
      #expect(run.output.contains("validation:accuracy") && run.output.contains("\n* small-00"))
      let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.allSatisfy { $0.count <= 100 }, "\(run.output)")
      // The names begin in the third column.
      let values = lines.dropFirst().prefix(3).map { $0.dropFirst(2).split(separator: " ")[1] }
      #expect(values.allSatisfy { $0.split(separator: ".").last?.count == 4 }, "\(run.output)")
      #expect(values.map { Double($0) ?? -1 } == values.map { Double($0) ?? -1 }.sorted(by: >))
      #expect(jobs(folder).count == 3)
      for job in jobs(folder) {
        #expect(
          scratchNames("\(folder)/out/\(job)") == [
            "checkpoints", "hyperparameters.json", "metrics.jsonl", "model", "train.log", "training.html",
          ])
        #expect(scratchNames("\(folder)/models/\(job)/output") == ["model.tar.gz"])
      }
      let json = readScratchFile(folder + "/out/tuning.json")
      for words in [
        "\"HyperParameterTuningJobStatus\" : \"Completed\"", "\"BestTrainingJob\"", "\"FinalObjective\"",
        "\"TunedHyperParameters\"",
      ] {
        #expect(json.contains(words))
      }
      #expect(readScratchFile(folder + "/out/tuning.html").contains("id=\"parallel\""))
      let predicted = imrec.run(["predict", "out/best", "photos/a/00.jpg"], in: folder)
      #expect(predicted.status == 0, "\(predicted)")

      let again = tune(folder)
      #expect(
        again.status == 1 && again.errors.contains("this folder already holds a tuning"), "\(again)")
      let resumed = tune(folder, ["--resume", "--json"])
      #expect(
        resumed.status == 0 && resumed.output == readScratchFile(folder + "/out/tuning.json"), "\(resumed)")
      #expect(!resumed.errors.contains("starts"), "nothing is trained again")
    }
  }

  @Test("killed at any time, it takes its trainings with it; resumed, it ends like an uninterrupted run")
  func killed() throws {
    try withRecords { (folder) throws in
      write(folder, parallel: 2, epochs: 3)
      for kill in 0..<3 {
        let run = tune(folder, kill == 0 ? [] : ["--resume"]) { pid in
          // After the first, the third, the fifth epoch that this run sees.
          let before = figures(folder).count
          wait { figures(folder).count > before || kill > 0 && trainings(of: folder).isEmpty }
          Glibc.kill(pid, SIGKILL)
        }
        #expect(run.signal == SIGKILL || run.status == 0, "\(run)")
        wait { trainings(of: folder).isEmpty }
        #expect(trainings(of: folder).isEmpty, "the trainings end with it")
      }
      let last = tune(folder, ["--resume"])
      #expect(last.status == 0, "\(last)")
      let found = figures(folder)
      #expect(found.count == 9)
      try withRecords { (other) throws in
        write(other, parallel: 2, epochs: 3)
        #expect(tune(other).status == 0)
        #expect(figures(other) == found)
      }
    }
  }

  @Test(
    "stopped by a signal, it stops its trainings gracefully; resumed, they continue from their checkpoints")
  func stopped() throws {
    try withRecords { (folder) throws in
      write(folder, jobs: 2, parallel: 2, epochs: 40)
      let run = tune(folder) { pid in
        wait { !figures(folder).isEmpty }
        Glibc.kill(pid, SIGTERM)
      }
      #expect(
        run.status == 1 && run.errors.contains("run the same command with --resume to continue"), "\(run)")
      #expect(
        readScratchFile(folder + "/out/tuning.json").contains(
          "\"HyperParameterTuningJobStatus\" : \"Stopped\""))
      for job in jobs(folder) where !scratchNames("\(folder)/out/\(job)/checkpoints").isEmpty {
        #expect(scratchNames("\(folder)/out/\(job)/checkpoints").allSatisfy { !$0.hasSuffix(".partial") })
      }
      let resumed = tune(folder, ["--resume"]) { pid in
        wait {
          readScratchFile("\(folder)/out/\(jobs(folder)[0])/train.log").contains(
            "Resuming from the checkpoint")
        }
        Glibc.kill(pid, SIGTERM)
      }
      #expect(resumed.errors.contains("job 1 of 2 resumes"), "\(resumed)")
    }
  }

  @Test("Hyperband trains the best of a rung further, from their checkpoints")
  func hyperband() throws {
    try withRecords { (folder) throws in
      write(folder, strategy: "Hyperband", jobs: 3, epochs: 3)
      let run = tune(folder)
      #expect(run.status == 0, "\(run)")
      let counts = jobs(folder).map {
        readScratchFile("\(folder)/out/\($0)/metrics.jsonl").split(separator: "\n").count
      }
      #expect(counts.sorted() == [1, 1, 3], "\(counts)")
      let logs = jobs(folder).map { readScratchFile("\(folder)/out/\($0)/train.log") }
      #expect(logs.count { $0.contains("Resuming from the checkpoint: epoch 1") } == 1)
    }
  }

  @Test("some failed jobs are exit status 2, all of them 1 with the reason of the first")
  func failing() throws {
    try withRecords { (folder) throws in
      let sizes = #""CategoricalParameterRanges": [{"Name": "top_k", "Values": ["2", "3"]}]"#
      write(folder, strategy: "Grid", jobs: 2, ranges: sizes)
      #expect(tune(folder).status == 0)
      let models = #""CategoricalParameterRanges": [{"Name": "num_classes", "Values": ["1", "2"]}]"#
      write(folder, strategy: "Grid", jobs: 2, ranges: models)
      let some = imrec.run(["tune", "request.json", "--output", "some"], in: folder, seconds: 300)
      #expect(some.status == 2 && some.output.contains("Failed"), "\(some)")
      let none = #""CategoricalParameterRanges": [{"Name": "num_classes", "Values": ["1"]}]"#
      write(folder, strategy: "Grid", jobs: 1, ranges: none)
      let all = imrec.run(["tune", "request.json", "--output", "all"], in: folder, seconds: 300)
      #expect(
        all.status == 1 && all.errors.contains("All training jobs failed. The first one, small-001-"),
        "\(all)")
    }
  }

  // The parameters of this network have 1.1 MB.
  @Test("without room for a model it fails and says so; with room and more jobs it continues")
  func fullDisk() throws {
    try withRecords { (folder) throws in
      write(folder, jobs: 1)
      let full = imrec.run(
        ["tune", "request.json", "--output", "out"], in: folder, wrapper: ["prlimit", "--fsize=400000"],
        seconds: 300)
      #expect(full.status == 1 && full.errors.contains("could not be written: out/small-001-"), "\(full)")
      #expect(
        readScratchFile(folder + "/out/tuning.json").contains(
          "\"HyperParameterTuningJobStatus\" : \"Failed\""))
      write(folder, jobs: 2)
      let more = tune(folder, ["--resume"])
      #expect(more.status == 2 && jobs(folder).count == 2, "\(more)")
    }
  }

  @Test("a request that makes no sense is refused before anything is trained")
  func refused() throws {
    try withRecords { (folder) throws in
      let cases: [(() -> Void, String)] = [
        ({ write(folder, train: "s3://bucket/train") }, "s3:// is not on this machine"),
        ({ write(folder, train: "nowhere") }, "nowhere: there is no such file"),
        ({ write(folder, train: "photos") }, "There is no .rec file in the train channel"),
        ({ write(folder, jobs: 2, parallel: 3) }, "MaxParallelTrainingJobs [3]"),
        ({ write(folder, ranges: "") }, "nothing to tune"),
        (
          { writeScratchFile(folder + "/request.json", "{".utf8) },
          "request.json: this is not a JSON document"
        ),
      ]
      for (write, words) in cases {
        write()
        let run = tune(folder)
        #expect(run.status == 1 && run.errors.contains(words), "\(run)")
        #expect(jobs(folder).isEmpty && !scratchNames(folder + "/out").contains("state.json"))
      }
      #expect(imrec.run(["tune"], in: folder).status == 64)
      #expect(imrec.run(["tune", "none.json", "--output", "out"], in: folder).status == 1)
    }
  }
}
