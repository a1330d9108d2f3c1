import Encodings
import Files
import Foundation
import Hyperparameters
import Inference
import Models
import SageMaker
import Training
import Tuning

// What a training and a tuning read: manifests, the container's files, checkpoints, the state of a tuning.

let manifests = FuzzTarget(
  "manifest",
  words: [
    #"[{"prefix":""#, #""},""#, "file://", "s3://b/", "%00", "%C3%A9", "../", "/", "//", [0xcc, 0x81],
    #"\u0301"#, #"\u0000"#,
    "source-ref", "-metadata", "1e999", "[0, 2]", "null",
  ],
  seeds: {
    [
      #"[{"prefix": "file:///photos/"}, "a/1.jpg", "b.jpg"]"#,
      #"[{"prefix": "s3://b/photos/"}, "a/1.jpg", "é.jpg"]"#,
      #"[{"prefix": "/photos"}]"#,
      #"{"source-ref": "file:///a%20b.jpg", "class": 1, "class-metadata": {"x": 1}}"#,
      #"{"source-ref": "a.jpg", "class": "[0, 2]"}"#, #"{"source-ref": "a.jpg", "class": [1, 0, 1]}"#,
      #"[{"prefix": "s3://b/"}, "../\u0301x"]"#,
    ].map { Array($0.utf8) }
  },
  check: { input, scratch in
    let path = try scratch.file(input)
    do {
      let manifest = try Manifest(path)
      try require(
        !manifest.prefix.utf8.contains(0),
        "no place has a NUL in it")
      let elements: [JSON] =
        [["prefix": .string("file://" + encoded(manifest.prefix))]] + manifest.paths.map { .string($0) }
      // Only a path from the root has a URL.
      if manifest.prefix.utf8.first == UInt8(ascii: "/") {
        let written = try scratch.file(JSON.list(elements).bytes, "written")
        let again = try require("a manifest that is written is read") { try Manifest(written) }
        try require(
          again.prefix.utf8.elementsEqual(manifest.prefix.utf8) && again.paths.count == manifest.paths.count
            && zip(again.paths, manifest.paths).allSatisfy { $0.utf8.elementsEqual($1.utf8) },
          "a manifest that is written is read to the same")
      }
    } catch let broken as BrokenPromise { throw broken } catch { try requireSentence(error) }
    do {
      for item in try Channels.items(manifest: "s3://b/manifest", at: path) {
        try require(
          item.path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .allSatisfy {
              !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) && !$0.contains(0)
            },
          "an object comes to lie below its channel's folder")
        try require(
          !item.object.bucket.isEmpty && !item.object.bucket.utf8.contains(UInt8(ascii: "/")),
          "an object has a bucket")
      }
    } catch let broken as BrokenPromise { throw broken } catch { try requireSentence(error) }
    var options = ManifestOptions()
    for classCount in [nil, 3] {
      options.labelsAreClassIDs = classCount != nil
      do throws(TrainingError) {
        var choice = LabelChoice(options)
        let labels = try ManifestEntry(input, options, at: "line 1").labels(&choice, classCount: classCount)
        if classCount != nil, labels.count != 3 || !labels.allSatisfy({ $0 == 0 || $0 == 1 }) {
          throw TrainingError("broken")
        }
        if !labels.allSatisfy(\.isFinite) { throw TrainingError("broken") }
      } catch {
        try require(error != TrainingError("broken"), "labels are numbers, of classes a 0 or 1 each")
        try requireSentence(error)
      }
    }
  })

private func encoded(_ path: String) -> String {
  path.utf8.map { byte in
    if byte == UInt8(ascii: "/") { return "/" }
    let hex = String(byte, radix: 16)
    return "%" + (hex.utf8.count == 1 ? "0" + hex : hex)
  }.joined()
}

// MARK: The container

/// `hyperparameters.json`, a NUL, `inputdataconfig.json`.
let containers = FuzzTarget(
  "container",
  words: HyperparameterSet.names.map { FuzzTarget.Word(stringLiteral: $0) } + [
    "\":\"", "\",\"", "1e999", "-1", "0.5", "true", "None", "3,224,224", "[1,2]", "9223372036854775808",
    "ContentType", "image/jpeg",
    "train", "validation",
  ],
  seeds: {
    let files = [
      (
        #"{"num_classes": "2", "num_training_samples": "10"}"#,
        #"{"train": {"ContentType": "application/x-recordio"}}"#
      ),
      (
        #"{"num_classes": 3, "num_training_samples": "9", "learning_rate": "\"0.05\"", "lr_scheduler_step": "10,20", "image_shape": "3,32,32", "use_weighted_loss": true, "_tuning_objective_metric": "x", "resize": "None"}"#,
        "{}"
      ),
      (
        #"{"recipe": "transfer", "num_classes": "2", "num_training_samples": "9", "optimizer": "adam", "beta_1": "0.5"}"#,
        #"{"train": {"ContentType": "image/jpeg", "x": [1]}, "validation": {}}"#
      ),
    ]
    return files.map { first, second in Array(first.utf8) + [0] + Array(second.utf8) }
  },
  check: { input, scratch in
    let first = Array(input.prefix { $0 != 0 })
    do throws(TrainingError) {
      let read = try HyperparameterSet(json: first)
      let again = try? HyperparameterSet(read.texts.map { ($0.key, $0.value) })
      if again != read { throw TrainingError("broken") }
    } catch {
      try require(error != TrainingError("broken"), "hyperparameters that are written are read to the same")
      try requireSentence(error)
    }
    let root = scratch.folder + "/ml"
    for name in ["input/config", "input/data/train", "input/data/validation"] {
      try makeFolder("\(root)/\(name)")
    }
    for name in ["train", "validation"] { _ = try scratch.file([], "ml/input/data/\(name)/x.rec") }
    _ = try scratch.file(first, "ml/input/config/hyperparameters.json")
    _ = try scratch.file(Array(input.dropFirst(first.count + 1)), "ml/input/config/inputdataconfig.json")
    do throws(TrainingError) {
      let request = try TrainingContainer(root).request()
      let isOfTuning = request.hyperparameters.contains { $0.name == "_tuning_objective_metric" }
      if request.modelFolder != root + "/model" || request.isComplete == isOfTuning {
        throw TrainingError("broken")
      }
      for source in [request.train, request.validation] where !source.path.hasPrefix(root) {
        throw TrainingError("broken")
      }
    } catch {
      try require(error != TrainingError("broken"), "a job reads and writes in its own folders")
      try requireSentence(error)
    }
  })

// MARK: Checkpoints

private func checkpoint(_ change: (inout FitState) -> Void = { _ in }) -> Checkpoint {
  var state = FitState()
  state.epoch = 3
  state.batch = 1
  state.learningRate = 0.1 + 0.2
  state.times.forward = 1.0 / 3
  change(&state)
  return Checkpoint(
    identity: ["learning_rate": "0.1"],
    weights: ["fc1_weight": .init(shape: [1, 2], values: [0.1, -.leastNonzeroMagnitude])],
    optimizer: ["momentum:fc1_weight": .init(shape: [1, 2], values: [1, 2])], updateCount: 17,
    average: ["fc1_weight": .init(shape: [2], values: [3, 4])], state: state)
}

private func bytes(_ checkpoint: Checkpoint) throws -> [UInt8] {
  let path = NSTemporaryDirectory() + "/imrec-fuzz-checkpoint-\(getpid())"
  defer { unlink(path) }
  try checkpoint.write(to: path)
  return try readFile(path).bytes
}

/// A byte of the state, and its JSON behind a first byte that is not the beginning of a `.params` file: the state stands
/// in a checkpoint as numbers, where no mutation of bytes finds it.
let checkpoints = FuzzTarget(
  "checkpoint", replayCount: 300,
  words: [
    "\"epoch\":", "\"batch\":", "\"images\":", "-1", "9223372036854775807", "1e308", "null", "[]", "weights/",
    "optimizer/",
    "average/", [0, 0, 0x80, 0x3f], [0, 0, 0xc0, 0x7f],
  ],
  seeds: {
    let whole = try bytes(checkpoint())
    let state = try JSONEncoder().encode(checkpoint().state)
    return [
      whole, try bytes(checkpoint { $0.record.epochs = [EpochRecord()] }),
      Array(#"{"version":1,"identity":{"a":"b"},"updateCount":17,"hasAverage":true,"state":"#.utf8) + state
        + Array("}".utf8),
    ]
  },
  check: { input, scratch in
    let path = scratch.folder + "/checkpoint"
    if input.first == UInt8(ascii: "{") {
      let arrays = [("state", Parameters.Array(shape: [input.count], values: input.map { Float($0) }))]
      try ParameterWriter.write(path, arrays.map(\.0)) { (index) throws(ModelError) in arrays[index].1 }
    } else {
      _ = try scratch.file(input, "checkpoint")
    }
    let read: Checkpoint
    do { read = try Checkpoint(path: path) } catch { return try requireSentence(error) }
    try require(
      read.place.epoch >= 0 && read.place.batch >= 0 && read.updateCount >= 0,
      "a training goes on from its beginning at least")
    try require(read.state.sums.correct <= read.state.sums.decisions, "no more is right than there is")
    for arrays in [read.weights, read.optimizer, read.average ?? [:]] {
      try require(
        arrays.values.allSatisfy { $0.shape.reduce(1, *) == $0.values.count }, "an array has its numbers")
    }
    try read.write(to: scratch.folder + "/written")
    let first = try readFile(scratch.folder + "/written").bytes
    let again = try require("a checkpoint that is written is read") {
      try Checkpoint(path: scratch.folder + "/written")
    }
    try again.write(to: scratch.folder + "/written")
    try require(
      try readFile(scratch.folder + "/written").bytes == first,
      "a checkpoint that is written is read to the same")
  })

// MARK: Epochs

let epochRecords = FuzzTarget(
  "metrics",
  words: [
    "\"epoch\":", "\"shape\":", "-1", "1000000", "9223372036854775807", "1e308", "null", "[]", "NaN", "\n",
  ],
  seeds: {
    var record = EpochRecord()
    (record.epoch, record.trainLoss, record.shape) = (7, 1.0 / 3, [3, 28, 28])
    record.validationTopAccuracy = 0.5
    return [Array("\(try EpochRecord().line())\n\(try record.line())\n{\"epoch\":".utf8)]
  },
  check: { input, _ in
    let read = EpochRecord.read(input)
    try require(read.count <= input.count { $0 == UInt8(ascii: "\n") } + 1, "a line is one epoch at most")
    let last = EpochRecord.read(input, limit: 2)
    try require(last.count <= 2 && Array(read.suffix(last.count)) == last, "the last lines are read")
    for record in read {
      try require((0..<1_000_000).contains(record.epoch), "an epoch has a number")
      _ = (record.isKept(checkpointFrequency: nil), record.isKept(checkpointFrequency: 1))
      let text = try require("an epoch that was read is written") { try record.line() }
      try require(
        EpochRecord.read(Array(text.utf8)) == [record], "an epoch that is written is read to the same")
    }
  })

// MARK: The request of a tuning

let tuningRequests = FuzzTarget(
  "request",
  words: [
    "\"Name\":", "\"MinValue\":", "\"MaxValue\":", "\"Values\":", "\"ScalingType\":", "Logarithmic",
    "ReverseLogarithmic", "Hyperband", "Grid", "Random", "\"1e308\"", "\"-1\"", "9223372036854775807", "0",
    "null",
    "[[[[", "{}", "TrainingJobDefinitions", "WarmStartConfig", "MetricDefinitions", "\"RandomSeed\":",
    "CategoricalParameterRanges", "IntegerParameterRanges", "StrategyConfig", [0xcc, 0x81],
  ],
  seeds: {
    let ranges = #"""
      {"ContinuousParameterRanges":[{"Name":"learning_rate","MinValue":"0.0001","MaxValue":"0.1","ScalingType":"Auto"}],
      "IntegerParameterRanges":[{"Name":"mini_batch_size","MinValue":"8","MaxValue":"64","ScalingType":"Logarithmic"}],
      "CategoricalParameterRanges":[{"Name":"optimizer","Values":["sgd","adam"]}]}
      """#
    let channels =
      #"[{"ChannelName":"train","DataSource":{"S3DataSource":{"S3Uri":"/t.rec"}}},{"ChannelName":"validation","DataSource":{"S3DataSource":{"S3Uri":"/v.rec"}}}]"#
    let objective = #"{"Type":"Maximize","MetricName":"validation:accuracy"}"#
    let limits = #"{"MaxNumberOfTrainingJobs":4,"MaxParallelTrainingJobs":2,"MaxRuntimeInSeconds":600}"#
    return [
      #"{"HyperParameterTuningJobName":"t","HyperParameterTuningJobConfig":{"Strategy":"Bayesian","RandomSeed":3,"HyperParameterTuningJobObjective":\#(objective),"ResourceLimits":\#(limits),"ParameterRanges":\#(ranges)},"TrainingJobDefinition":{"StaticHyperParameters":{"epochs":"2"},"InputDataConfig":\#(channels),"AlgorithmSpecification":{"MetricDefinitions":[{"Name":"a","Regex":"a=(.*)"}]}}}"#,
      #"{"HyperParameterTuningJobName":"u","HyperParameterTuningJobConfig":{"Strategy":"Random","ResourceLimits":\#(limits)},"TrainingJobDefinitions":[{"DefinitionName":"a","TuningObjective":\#(objective),"HyperParameterRanges":\#(ranges),"InputDataConfig":\#(channels)}],"WarmStartConfig":{"WarmStartType":"TransferLearning","ParentHyperParameterTuningJobs":[{"HyperParameterTuningJobName":"p"}]}}"#,
      #"{"HyperParameterTuningJobName":"g","HyperParameterTuningJobConfig":{"Strategy":"Grid","HyperParameterTuningJobObjective":\#(objective),"ResourceLimits":{"MaxParallelTrainingJobs":1},"ParameterRanges":{"CategoricalParameterRanges":[{"Name":"optimizer","Values":["sgd","adam"]}]}},"TrainingJobDefinition":{"InputDataConfig":\#(channels)}}"#,
    ].map { Array($0.utf8) }
  },
  check: { input, _ in
    let request: TuningRequest
    do { request = try TuningRequest(json: input) } catch { return try requireSentence(error) }
    try require(request.parallelJobs > 0 && request.jobs.map { $0 > 0 } != false, "a tuning has jobs")
    try require(!request.definitions.isEmpty, "a tuning has a definition")
    let again = try require("a request that is written is read") {
      try TuningRequest(json: request.json.bytes)
    }
    try require(
      again.json.bytes == request.json.bytes && again.jobs == request.jobs
        && again.plan.seed == request.plan.seed,
      "a request that is written is read to the same")
    for definition in request.definitions {
      try require(
        Set(definition.statics.keys).isDisjoint(with: definition.plan.space.parameters.map(\.name)),
        "what is searched has no fixed value")
      do { try definition.checkHyperparameters() } catch { try requireSentence(error) }
    }
  })

// MARK: The state of a tuning

let tuningStates = FuzzTarget(
  "tuning",
  words: [
    "\"jobs\":", "\"number\":", "\"NaN\"", "\"Infinity\"", "\"curve\":", "\"resource\":", "-1", "0",
    "9223372036854775807", "1e308",
    "null", "InProgress", "Completed", "Stopped", "Failed",
  ],
  seeds: {
    var record = TuningRecord(
      .object([
        "HyperParameterTuningJobName": "t", "x": [.null, true, .number(0.5), 3],
      ]))
    let plain = try JSON.text(record, style: TuningFolder.style)
    record.status = .failed
    record.failureReason = "it \u{e9}\n"
    record.endTime = 12.5
    let parent = #"[{"name":"p","isIdentical":true,"jobs":[{"name":"j","values":{"a":"1"},"score":null}]}]"#
    let job =
      #"{"number":1,"name":"t-001","tuned":{"learning_rate":"0.1"},"status":"Completed","curve":[0.5,"NaN"],"objective":0.75,"resource":3,"rungs":[0.5],"creationTime":1,"wasStoppedEarly":false}"#
    return [
      Array(plain.utf8), Array(try JSON.text(record, style: TuningFolder.style).utf8),
      Array(
        #"{"request":{},"status":"InProgress","jobs":[\#(job)],"warmStart":\#(parent),"creationTime":1.5,"runtimeSeconds":0}"#
          .utf8),
    ]
  },
  check: { input, scratch in
    let folder = scratch.folder + "/tuning"
    try makeFolder(folder)
    _ = try scratch.file(input, "tuning/state.json")
    let record: TuningRecord
    do { record = try TuningFolder.read(folder) } catch { return try requireSentence(error) }
    let text = try require("a record can be written") { try JSON.text(record, style: TuningFolder.style) }
    _ = try scratch.file(Array(text.utf8), "tuning/state.json")
    let again = try require("a record that is written is read") { try TuningFolder.read(folder) }
    try require(
      try JSON.text(again, style: TuningFolder.style) == text, "a record that is written is read to the same")
    let best = record.best { $0 > $1 }
    try require(best?.score.map(\.isFinite) != false, "the best job has a score")
    try require(
      record.count(.completed) + record.count(.failed) + record.count(.stopped) + record.count(.inProgress)
        == record.jobs.count,
      "every job has a status")
    for (place, job) in record.jobs.enumerated() {
      try require(job.number == place + 1, "jobs are numbered from 1 on")
    }
  })
