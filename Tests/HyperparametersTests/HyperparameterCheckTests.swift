import Testing

@testable import Hyperparameters

private func made(_ pairs: [String: String]) throws -> HyperparameterSet {
  try HyperparameterSet(
    pairs.merging(["num_classes": "10", "num_training_samples": "100"]) { $1 }.map {
      (name: $0.key, value: $0.value)
    })
}

@Suite struct HyperparameterCheckTests {
  @Test(
    "contradictions are refused with a sentence",
    arguments: [
      (
        ["checkpoint_frequency": "5", "epochs": "4"],
        "checkpoint_frequency is 5, but there are only 4 epochs; a value of at most 4 is expected"
      ),
      (
        ["resize": "224"],
        "resize is 224, but image_shape is 3,224,224; resize must be larger than both height and width"
      ),
      (
        ["resize": "230", "image_shape": "3,128,230"],
        "resize is 230, but image_shape is 3,128,230; resize must be larger than both height and width"
      ),
      (
        ["use_pretrained_model": "1", "image_shape": "3,128,128"],
        "use_pretrained_model is 1, but image_shape is 3,128,128; a pretrained model needs 3,224,224"
      ),
      (
        ["num_layers": "20"],
        "num_layers is 20, but image_shape is 3,224,224; for images with more than 28 rows it must be one of 18, 34, "
          + "50, 101, 152, 200"
      ),
      (
        ["image_shape": "1,28,28"],
        "num_layers is 152, but image_shape is 1,28,28; for images with at most 28 rows it must be one of 20, 32, 44, "
          + "56, 110"
      ),
      (
        ["warmup_epochs": "30"],
        "warmup_epochs is 30, but there are only 30 epochs; a smaller value is expected"
      ),
      (
        ["label_smoothing": "1"],
        "label_smoothing is 1, with which a network learns nothing; a value below 1 is expected"
      ),
      (
        ["ema_decay": "1"], "ema_decay is 1, with which a network learns nothing; a value below 1 is expected"
      ),
      (
        ["mixup_alpha": "0.2", "mini_batch_size": "7"],
        "mixup_alpha is 0.2, but mini_batch_size is 7; mixup needs pairs of images, so an even batch size is expected"
      ),
      (
        ["progressive_start": "128"],
        "progressive_start needs resize: without it, a smaller shape would crop a smaller part of each image"
      ),
      (
        ["progressive_start": "240", "resize": "256"],
        "progressive_start is 240, but image_shape is 3,224,224; a value of at most its smaller side is expected"
      ),
      (["std": "0"], "std contains 0.0, which cannot be a divisor; numbers above 0 are expected"),
    ] as [([String: String], String)])
  func contradictions(_ pairs: [String: String], _ sentence: String) throws {
    let values = try made(pairs)
    #expect(throws: TrainingError(sentence)) { try values.check() }
  }

  @Test(
    "valid combinations are accepted without a warning",
    arguments: [
      [:], ["resize": "225", "num_layers": "18"], ["image_shape": "3,28,28", "num_layers": "110"],
      ["image_shape": "3,29,29", "num_layers": "18"], ["use_pretrained_model": "1", "num_layers": "50"],
      ["optimizer": "adam", "beta_1": "0.5", "eps": "0.001"], ["optimizer": "rmsprop", "gamma": "0.5"],
      ["optimizer": "nag", "momentum": "0.5", "weight_decay": "0"],
      ["multi_label": "1", "use_weighted_loss": "1"],
      ["early_stopping": "True", "early_stopping_patience": "3"],
      ["lr_scheduler_step": "10", "lr_scheduler_factor": "0.5"], ["recipe": "fast"],
      ["progressive_start": "128", "resize": "256", "mixup_alpha": "1"],
    ] as [[String: String]])
  func agreement(_ pairs: [String: String]) throws {
    let values = try made(pairs)
    try values.check()
    #expect(values.warnings() == [])
  }

  @Test("what a training is made with: what counts for every one, its optimizer's, and what is not as usual")
  func changes() throws {
    let values = try made(["optimizer": "adam", "early_stopping": "True", "multi_label": "1", "seed": "7"])
    #expect(
      values.changes.map(\.name) == [
        "num_layers", "image_shape", "num_classes", "num_training_samples", "epochs", "mini_batch_size",
        "optimizer",
        "learning_rate", "beta_1", "beta_2", "eps", "early_stopping", "multi_label", "seed",
      ])
    #expect(values.changes.last?.value == "7")
  }

  @Test(
    "settings without an effect are reported, with the reason",
    arguments: [
      (["beta_1": "0.5"], "beta_1 has no effect: only adam uses it, but the optimizer is sgd"),
      (
        ["beta_2": "0.5", "optimizer": "nag"],
        "beta_2 has no effect: only adam uses it, but the optimizer is nag"
      ),
      (["gamma": "0.5"], "gamma has no effect: only rmsprop uses it, but the optimizer is sgd"),
      (["eps": "0.5"], "eps has no effect: only adam and rmsprop use it, but the optimizer is sgd"),
      (
        ["momentum": "0.5", "optimizer": "adam"],
        "momentum has no effect: only sgd and nag use it, but the optimizer is adam"
      ),
      (
        ["weight_decay": "0.5", "optimizer": "rmsprop"],
        "weight_decay has no effect: only sgd and nag use it, but the optimizer is rmsprop"
      ),
      (["use_weighted_loss": "1"], "use_weighted_loss has no effect: it needs multi_label"),
      (["early_stopping_patience": "2"], "early_stopping_patience has no effect: early_stopping is off"),
      (
        ["early_stopping": "True", "epochs": "10"],
        "early_stopping has no effect: early_stopping_min_epochs is 10, but there are only 10 epochs"
      ),
      (["kv_store": "dist_sync"], "kv_store has no effect: there is only one host"),
      (
        ["precision_dtype": "float16"],
        "precision_dtype has no effect: training computes in float32 unless precision is bf16"
      ),
      (["lr_scheduler_factor": "0.5"], "lr_scheduler_factor has no effect: lr_scheduler_step is not given"),
      (
        ["lr_scheduler_step": "10", "lr_schedule": "cosine"],
        "lr_scheduler_step has no effect: lr_schedule is cosine"
      ),
      (
        ["lr_scheduler_step": "30"],
        "epoch 30 of lr_scheduler_step has no effect: training ends after 30 epochs"
      ),
      (["top_k": "10"], "top_k is 10, but there are only 10 classes: top-k accuracy is always 1"),
      (
        ["top_k": "3", "multi_label": "1"],
        "top_k has no effect: with multi_label, each class is a decision of its own"
      ),
    ] as [([String: String], String)])
  func noEffect(_ pairs: [String: String], _ sentence: String) throws {
    #expect(try made(pairs).warnings().map(\.description) == [sentence])
  }

  @Test("with several hosts kv_store has an effect")
  func hosts() throws {
    #expect(try made(["kv_store": "dist_sync"]).warnings(hosts: 2) == [])
    #expect(
      try made(["kv_store": "dist_async"]).warnings(hosts: 2).map(\.description)
        == ["kv_store dist_async has no effect: hosts always train synchronously, as with dist_sync"])
  }

  @Test("progressive images grow to the whole shape, resized in proportion")
  func progressive() throws {
    let values = try made(["progressive_start": "128", "resize": "256", "epochs": "8"])
    let presets = try (0..<8).map { try values.preset(epoch: $0) }
    #expect(presets.map(\.height) == [128, 160, 160, 192, 192, 224, 224, 224])
    #expect(presets.map(\.width) == presets.map(\.height))
    #expect(presets.map(\.resize) == [147, 183, 183, 220, 220, 256, 256, 256])
    #expect(try presets[7] == values.preset())
    let small = try made([
      "progressive_start": "14", "resize": "32", "epochs": "4", "image_shape": "1,28,28", "num_layers": "20",
    ])
    #expect(
      try (0..<4).map { try small.preset(epoch: $0).shape } == [
        [1, 16, 16], [1, 20, 20], [1, 24, 24], [1, 28, 28],
      ])
    #expect(try made([:]).preset(epoch: 0) == made([:]).preset())
  }

  @Test("an error has SageMaker's forms")
  func forms() {
    let error = TrainingError("No good.")
    #expect(
      error.logLine == "Customer Error: No good."
        && error.failureReason == "ClientError: No good., exit code: 2")
  }
}
