import Dashboard
import Foundation
import Hyperparameters
import S3
import SageMaker

/// A dashboard's worth of jobs, models and objects that never were; hostile names among them where wanted.
public final class SampleSource: DashboardSource {
  /// Put behind names, where they may be anything.
  let odd: String
  /// A folder with outputs of a transform job; nil: none.
  let outputs: String?
  private let start = Date(timeIntervalSince1970: 1_790_000_000)

  /// Whether the events of a job go on for ever.
  let isEndless: Bool

  public init(odd: String = "", outputs: String? = nil, isEndless: Bool = false) {
    self.odd = odd
    self.isEndless = isEndless
    self.outputs = outputs
  }

  private static let statuses = ["InProgress", "Completed", "Completed", "Failed", "Stopped", "Completed"]

  private var all: [JobRow] {
    (0..<130).map { index in
      let kind = JobKind.allCases[index % 3]
      var row = JobRow(
        kind, "DEMO-imageclassification--2026-09-\(index)\(odd)", status: Self.statuses[index % 6],
        created: start.addingTimeInterval(-Double(index) * 4000))
      if row.status != "InProgress" { row.ended = row.created.addingTimeInterval(700 + Double(index)) }
      if row.status == "Completed" { row.note = ["84.9 %", "12 jobs", "15,187 images"][index % 3] }
      return row
    }
  }

  public func jobs(_ kind: JobKind?, _ part: ListPage) async throws -> ListedRows<JobRow> {
    let rows = all.filter { kind == nil || $0.kind == kind }
    let first = part.after.flatMap { Int($0) } ?? 0
    let end = min(rows.count, first + part.count)
    return ListedRows(first < end ? Array(rows[first..<end]) : [], next: end < rows.count ? "\(end)" : nil)
  }

  private func row(_ kind: JobKind, _ name: String) -> JobRow? {
    all.first { $0.kind == kind && $0.name == name }
  }

  public func trainingJob(_ name: String) async throws -> TrainingJobView? {
    guard let row = row(.training, name) else { return nil }
    var job = TrainingJobView(row)
    job.secondaryStatus = row.status == "InProgress" ? "Training" : row.status
    if row.status == "Failed" {
      job.failureReason = "ClientError: The loss is no number any more in epoch 3. \(odd)"
    }
    job.tuningJob = row.name.hasSuffix("3\(odd)") ? "DEMO-imageclassification--2026-09-1\(odd)" : nil
    job.facts = [
      Fact("Algorithm", "image-classification:1"), Fact("Instance", "1 × ml.p2.xlarge"),
      Fact("Output", "s3://demo-bucket/ic-fulltraining/output\(odd)"), Fact("Training images", "15,420"),
      Fact("Billable", "11 min 40 s"),
    ]
    job.hyperparameters = [
      ("num_layers", "18"), ("image_shape", "3,224,224"), ("num_training_samples", "15420"),
      ("num_classes", "257"),
      ("mini_batch_size", "128"), ("epochs", "10"), ("learning_rate", "0.01"),
      ("augmentation_type", "crop\(odd)"),
    ].map { Fact($0.0, $0.1) }
    var metrics = ""
    for number in 0..<12 {
      let x = Double(number)
      var epoch = EpochRecord()
      (epoch.epoch, epoch.seconds, epoch.imagesPerSecond) = (number, 60, 90 + x)
      (epoch.trainLoss, epoch.validationLoss) = (4 / (1 + x / 3), 4.2 / (1 + x / 4))
      (epoch.trainAccuracy, epoch.validationAccuracy) = (0.95 - 0.9 / (1 + x), 0.85 - 0.8 / (1 + x))
      (epoch.validationImages, epoch.learningRate) = (15187, 0.01)
      metrics += ((try? epoch.line()) ?? "") + "\n"
    }
    job.metrics = Array((metrics + "{\"epoch\":12,\"train_lo").utf8)
    job.log = (0..<60).map {
      "[09/22/2026 10:\(10 + $0 % 50):00 INFO] Epoch[\($0 / 5)] Batch [\($0 * 20)]\tSpeed: 92.1 samples/sec\taccuracy=0.\(200 + $0)\(odd)"
    }
    job.report = row.status == "Completed" ? Array("<!DOCTYPE html><title>Training report</title>".utf8) : nil
    return job
  }

  public func events(ofTrainingJob name: String) async throws -> AsyncStream<JobEvent> {
    AsyncStream { source in
      source.yield(.log("Epoch[12] Train-accuracy=0.9\(odd)"))
      source.yield(.log("two\nlines"))
      source.yield(.changed)
      if !isEndless { source.finish() }
    }
  }

  public func tuningJob(_ name: String) async throws -> TuningJobView? {
    guard let row = row(.tuning, name) else { return nil }
    var job = TuningJobView(
      row, strategy: "Bayesian", objective: "validation:accuracy", isMaximized: true)
    job.facts = [Fact("Parallel jobs", "2"), Fact("Maximum jobs", "20")]
    job.parameters = [
      .init("learning_rate", .range(low: 0.0001, high: 0.1, isLogarithmic: true)),
      .init("mini_batch_size", .range(low: 16, high: 64, isLogarithmic: false)),
      .init("optimizer", .categories(["sgd", "adam", "rmsprop", "nag\(odd)"])),
    ]
    job.trials = (0..<20).map { index in
      let rate = 0.0001 * exp(6.9 * Double(index * 7 % 20) / 20)
      let objective = index == 4 ? nil : 0.8 - abs(log10(rate) + 2) / 6 - Double(index % 4) / 40
      var trial = JobRow(
        .training, "\(row.name)-\(index)", status: index == 4 ? "Failed" : "Completed", created: row.created)
      trial.ended = row.created.addingTimeInterval(300)
      return .init(
        trial,
        parameters: [
          "learning_rate": "\(rate)", "mini_batch_size": "\(16 + index * 5 % 48)",
          "optimizer": ["sgd", "adam", "rmsprop", "nag\(odd)"][index % 4],
        ], objective: objective)
    }
    return job
  }

  public func transformJob(_ name: String) async throws -> TransformJobView? {
    guard let row = row(.transform, name) else { return nil }
    var job = TransformJobView(row, model: "full-image-classification-model\(odd)")
    job.facts = [
      Fact("Input", "s3://demo-bucket/test/"), Fact("Output", "s3://demo-bucket/test_output/"),
      Fact("Images at once", "16"), Fact("Content type", "application/x-image"),
    ]
    job.outputs = outputs
    return job
  }

  public func models(_ part: ListPage) async throws -> ListedRows<ModelView> {
    ListedRows(
      (0..<8).map {
        ModelView(
          "full-image-classification-\($0)\(odd)", created: start.addingTimeInterval(-Double($0) * 9000),
          dataURL: "s3://demo-bucket/ic-fulltraining/output/job-\($0)\(odd)/output/model.tar.gz")
      })
  }

  public func endpoints() async throws -> [EndpointView] {
    var failed = EndpointView(
      "broken\(odd)", status: "Failed", configuration: "broken-config\(odd)", created: start)
    failed.failureReason = "The model data at s3://demo-bucket/lost.tar.gz is not there. \(odd)"
    return [
      EndpointView("demo\(odd)", status: "InService", configuration: "demo-config", created: start), failed,
    ]
  }

  public func buckets() async throws -> [BucketView] {
    [
      BucketView("demo-bucket", created: start),
      BucketView("sagemaker-us-east-1-123456789012", created: start),
    ]
  }

  public func objects(in bucket: String, prefix: String, _ part: ListPage) async throws -> ObjectListing? {
    guard bucket == "demo-bucket" else { return nil }
    return ObjectListing(
      folders: ["\(prefix)test/", "\(prefix)odd\(odd)/"],
      objects: (0..<12).map {
        .init("\(prefix)image_\($0)\(odd).jpg", byteCount: 1 << ($0 * 3), modified: start)
      }, next: part.after == nil ? "more\(odd)" : nil)
  }

  public func object(_ key: String, in bucket: String) async throws -> ObjectContent? {
    guard bucket == "demo-bucket", key.hasSuffix(".jpg") else { return nil }
    return ObjectContent(byteCount: 6) { take in
      try await take(Array("abc".utf8))
      try await take(Array("def".utf8))
    }
  }

  public func localPath(of reference: String) async throws -> String? {
    reference.hasPrefix("/") && FileManager.default.fileExists(atPath: reference) ? reference : nil
  }
}
