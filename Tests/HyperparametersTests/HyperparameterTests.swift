import Foundation
import Imaging
import TestSupport
import Testing

@testable import Hyperparameters

private let required = [("num_classes", "41"), ("num_training_samples", "1000")]

private func made(_ pairs: [(String, String)]) throws -> HyperparameterSet {
  try HyperparameterSet((required + pairs).map { (name: $0.0, value: $0.1) })
}

@Suite struct HyperparameterTests {
  @Test("the defaults are those of SageMaker's manual")
  func defaults() throws {
    let usual = try made([])
    #expect(usual.numClasses == 41 && usual.numTrainingSamples == 1000)
    #expect(usual.augmentationType == nil && usual.beta1 == 0.9 && usual.beta2 == 0.999)
    #expect(usual.checkpointFrequency == nil && !usual.earlyStopping && usual.earlyStoppingMinEpochs == 10)
    #expect(usual.earlyStoppingPatience == 5 && usual.earlyStoppingTolerance == 0 && usual.epochs == 30)
    #expect(
      usual.eps == 1e-8 && usual.gamma == 0.9 && usual.imageShape == [3, 224, 224] && usual.kvStore == nil)
    #expect(usual.learningRate == 0.1 && usual.lrSchedulerFactor == 0.1 && usual.lrSchedulerStep == [])
    #expect(usual.miniBatchSize == 32 && usual.momentum == 0.9 && !usual.multiLabel && usual.numLayers == 152)
    #expect(
      usual.optimizer == .sgd && usual.precisionDtype == .float32 && usual.resize == nil && usual.topK == nil)
    #expect(!usual.usePretrainedModel && !usual.useWeightedLoss && usual.weightDecay == 0.0001)
    #expect(
      usual.precision == .fp32 && usual.lrSchedule == .step && usual.warmupEpochs == 0
        && usual.labelSmoothing == 0)
    #expect(
      usual.mixupAlpha == 0 && usual.emaDecay == 0 && usual.progressiveStart == nil && usual.recipe == nil)
    // After the two that are required, the manual's order is that of the alphabet.
    #expect(HyperparameterSet.names[2..<29].elementsEqual(HyperparameterSet.names[2..<29].sorted()))
    #expect(HyperparameterSet.names.count == 40)
  }

  @Test(
    "each takes its values, and refuses others in SageMaker's words",
    arguments: [
      ("num_classes", ["1", "257", " 3 "], ["0", "-1", "2.5", "x", "99999999999999999999"]),
      ("num_training_samples", ["15420"], ["0"]),
      ("augmentation_type", ["crop", "crop_color", "crop_color_transform"], ["Crop", "color", "1"]),
      ("beta_1", ["0", "1", "0.5", "1e-6"], ["-0.1", "1.1", "nan", "inf", "0x1p-2", "0,5"]),
      ("beta_2", ["0.999"], ["2"]), ("checkpoint_frequency", ["1", "30"], ["0"]),
      ("early_stopping", ["True", "False", "true", "1"], ["yes", "2"]),
      ("early_stopping_min_epochs", ["1"], ["0"]), ("early_stopping_patience", ["5"], ["0", "1.5"]),
      ("early_stopping_tolerance", ["0.0", "1"], ["-1"]), ("epochs", ["1"], ["0"]),
      ("eps", ["1e-08"], ["1.5"]), ("gamma", ["0.9"], ["-0.9"]),
      (
        "image_shape", ["3,224,224", "1, 28, 28"],
        ["224,224", "3,0,5", "4,8,8", "3,224", "3x2x2", "3,70000,5"]
      ),
      ("kv_store", ["dist_sync", "dist_async"], ["device"]), ("learning_rate", ["0.01"], ["10"]),
      ("lr_scheduler_factor", ["0.1"], ["2"]),
      ("lr_scheduler_step", ["10", "10, 20", "5,10,15"], ["20,10", "0", "a", "10,,20"]),
      ("mini_batch_size", ["32"], ["0"]), ("momentum", ["0"], ["2"]),
      ("multi_label", ["0", "1"], ["2", "True"]),
      ("num_layers", ["18", "200", "20", "110"], ["19", "269", "0"]),
      ("optimizer", ["sgd", "adam", "rmsprop", "nag"], ["SGD", "adagrad"]),
      ("precision_dtype", ["float32", "float16"], ["float64"]), ("resize", ["256"], ["0"]),
      ("top_k", ["2", "5"], ["1"]), ("use_pretrained_model", ["1"], ["yes"]),
      ("use_weighted_loss", ["0"], ["x"]), ("weight_decay", ["0.0001"], ["1.01"]),
      ("precision", ["fp32", "bf16"], ["int8", "float32", "FP32"]),
      ("lr_schedule", ["step", "cosine", "one_cycle"], ["linear"]), ("warmup_epochs", ["0", "5"], ["-1"]),
      ("label_smoothing", ["0.1"], ["-0.1"]), ("mixup_alpha", ["0.2", "4"], ["5"]),
      ("ema_decay", ["0.999"], ["2"]),
      ("progressive_start", ["128"], ["0"]), ("seed", ["0", "7"], ["-1"]),
      ("mean", ["1", "123.68,116.779,103.939"], ["1,2", "a"]), ("std", ["58.4,57.1,57.4"], ["1,2,3,4"]),
      ("recipe", ["fast"], ["slow"]),
    ])
  func values(_ name: String, _ good: [String], _ bad: [String]) throws {
    for text in good {
      let values = try made([(name, text)])
      #expect(values.given.contains(name))
      // What is written reads back to the same.
      let again = try HyperparameterSet(values.texts.map { (name: $0.key, value: $0.value) })
      #expect(again == values, "\(name) = \(text)")
    }
    let expectation = try #require(HyperparameterSet.expectation(of: name))
    for text in bad {
      #expect(
        message { _ = try made([(name, text)]) }
          == "The value '\(text)' is not valid for the '\(name)' hyperparameter which expects one of the following: "
          + "\(expectation) (caused by ValidationError)")
    }
  }

  @Test("each says what it expects")
  func expectations() {
    #expect(HyperparameterSet.names.allSatisfy { HyperparameterSet.expectation(of: $0) != nil })
    #expect(HyperparameterSet.expectation(of: "epochs") == "whole numbers from 1 to 1000000")
    #expect(HyperparameterSet.expectation(of: "top_k") == "whole numbers of at least 2")
    #expect(HyperparameterSet.expectation(of: "mixup_alpha") == "numbers from 0 to 4")
    #expect(HyperparameterSet.expectation(of: "optimizer") == "'sgd', 'adam', 'rmsprop', 'nag'")
    #expect(HyperparameterSet.expectation(of: "epoch") == nil)
  }

  @Test("an unknown name is answered with the nearest one")
  func unknown() {
    for (name, nearest) in [
      ("epoch", "epochs"), ("minibatch_size", "mini_batch_size"), ("learning-rate", "learning_rate"),
      ("num_class", "num_classes"), ("beta1", "beta_1"), ("Optimizer", "optimizer"),
    ] {
      #expect(
        message { _ = try made([(name, "1")]) }
          == "The hyperparameter '\(name)' is not known; did you mean '\(nearest)'?")
    }
    #expect(
      message { _ = try made([("quixotic", "1")]) }.contains("is not known; known names are num_classes, ")
    )
  }

  @Test("a file of SageMaker's is read: text, numbers, truth, and what tuning adds")
  func json() throws {
    let text = #"""
      {"num_classes": "257", "num_training_samples": 15420, "learning_rate": 0.01, "early_stopping": true,
       "_tuning_objective_metric": "validation:accuracy", "optimizer": "\"adam\"", "lr_scheduler_step": "10, 20", "augmentation_type": "None"}
      """#
    let values = try HyperparameterSet(json: Array(text.utf8))
    #expect(values.numClasses == 257 && values.numTrainingSamples == 15420 && values.learningRate == 0.01)
    #expect(values.earlyStopping && values.lrSchedulerStep == [10, 20] && values.augmentationType == nil)
    #expect(values.optimizer == .adam && values.given.count == 6)
    for (text, expected) in [
      (
        "[1]",
        "The hyperparameters are not a JSON object such as {\"num_classes\": \"10\", \"epochs\": \"5\"}: "
          + "byte 0: '[' where an object is expected"
      ),
      (
        "{",
        "The hyperparameters are not a JSON object such as {\"num_classes\": \"10\", \"epochs\": \"5\"}: "
          + "byte 1: the text ends where a key in quotes is expected"
      ),
      (
        #"{"epochs": [1]}"#,
        "The value of the 'epochs' hyperparameter is neither a string nor a number; a string is expected"
      ),
      (#"{"epochs": "1"}"#, "The hyperparameter 'num_classes' is required, but no value is given for it"),
    ] {
      #expect(message { _ = try HyperparameterSet(json: Array(text.utf8)) } == expected)
    }
  }

  @Test("they are logged as in SageMaker's file, changed values too")
  func texts() throws {
    var values = try made([("optimizer", "adam"), ("image_shape", "3,64,64"), ("early_stopping", "True")])
    values.epochs = 7
    let texts = values.texts
    #expect(texts["optimizer"] == "adam" && texts["epochs"] == "7" && texts["image_shape"] == "3,64,64")
    #expect(texts["early_stopping"] == "True" && texts["gamma"] == nil)
  }

  @Test("a recipe sets what is not given, and only that")
  func recipe() throws {
    let values = try made([("num_layers", "34"), ("recipe", "fast")])
    #expect(values.numLayers == 34 && values.lrSchedule == .oneCycle && values.optimizer == .nag)
    #expect(try made([]).lrSchedule == .step)
    let small = try made([("recipe", "fast"), ("image_shape", "1,28,28")])
    #expect(small.numLayers == 20)
    try small.check()
  }

  @Test(
    "with the recipe larger images begin smaller, where they are resized",
    arguments: [
      ("3,224,224", "256", 128), ("3,112,112", "128", 64), ("3,96,128", "160", 64), ("3,64,64", "72", nil),
      ("3,112,112", nil, nil),
    ] as [(String, String?, Int?)])
  func recipeSizes(_ shape: String, _ resize: String?, _ start: Int?) throws {
    let values = try made([("recipe", "fast"), ("image_shape", shape), ("resize", resize ?? "")])
    #expect(values.progressiveStart == start)
    try values.check()
    #expect(try made([("image_shape", shape), ("resize", "256")]).progressiveStart == nil)
  }

  @Test("the list for the log has SageMaker's order")
  func lines() throws {
    let values = try made([
      ("num_layers", "18"), ("epochs", "2"), ("learning_rate", "0.01"), ("mini_batch_size", "128"),
      ("top_k", "2"),
      ("resize", "256"), ("augmentation_type", "crop"), ("seed", "3"),
    ])
    #expect(
      values.parameterLines() == [
        "num_layers: 18", "data type: <class 'numpy.float32'>", "epochs: 2", "image resize size: 256",
        "optimizer: sgd", "momentum: 0.9", "weight_decay: 0.0001", "learning_rate: 0.01",
        "num_training_samples: 1000", "mini_batch_size: 128", "image_shape: 3,224,224", "num_classes: 41",
        "augmentation_type: crop", "kv_store: device", "top_k: 2", "seed: 3",
        "checkpoint_frequency not set, will store the best model",
      ])
    let other = try made([("optimizer", "rmsprop"), ("eps", "1e-8"), ("checkpoint_frequency", "3")])
    #expect(other.parameterLines().contains("gamma: 0.9") && other.parameterLines().contains("eps: 1e-08"))
    #expect(other.parameterLines(hosts: 2).contains("kv_store: dist_sync"))
    #expect(other.parameterLines().last == "checkpoint_frequency: 3")
  }
}
