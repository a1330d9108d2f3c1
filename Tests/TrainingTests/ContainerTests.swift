import TestSupport
import Testing

@testable import Hyperparameters
@testable import Training

@Suite struct ContainerTests {
  private func container(
    _ folder: String, files: [String], types: String? = nil,
    hyperparameters: String = #"{"num_classes": "2", "num_training_samples": "10"}"#
  ) -> TrainingContainer {
    writeScratchFile(folder + "/input/config/hyperparameters.json", hyperparameters.utf8)
    if let types { writeScratchFile(folder + "/input/config/inputdataconfig.json", types.utf8) }
    for file in files { writeScratchFile(folder + "/input/data/" + file, []) }
    return TrainingContainer(folder)
  }

  @Test("records, their channels and where results go")
  func records() throws {
    try withScratchFolder { (folder) throws in
      let container = container(folder, files: ["train/a/t.rec", "train/t.idx", "validation/v.rec"])
      let request = try container.request()
      #expect(request.train == .records(folder + "/input/data/train/a/t.rec"))
      #expect(request.validation == .records(folder + "/input/data/validation/v.rec"))
      #expect(request.hyperparameters.map(\.name) == ["num_classes", "num_training_samples"])
      #expect(request.modelFolder == folder + "/model" && request.outputFolder == folder + "/output/data")
      #expect(request.checkpointFolder == folder + "/checkpoints" && request.resumes && request.isComplete)
      #expect(request.pretrained == nil)
    }
  }

  @Test("images have a list in a channel of its own")
  func images() throws {
    try withScratchFolder { (folder) throws in
      let types = ["train", "validation", "train_lst", "validation_lst"]
        .map { #""\#($0)": {"ContentType": "application/x-image"}"# }.joined(separator: ", ")
      let container = container(
        folder,
        files: ["train/c/1.jpg", "validation/c/2.jpg", "train_lst/t.lst", "validation_lst/v.lst"],
        types: "{\(types)}")
      let request = try container.request()
      #expect(
        request.train == .list(folder + "/input/data/train_lst/t.lst", root: folder + "/input/data/train"))
      #expect(
        request.validation
          == .list(folder + "/input/data/validation_lst/v.lst", root: folder + "/input/data/validation"))
    }
  }

  @Test("an augmented manifest is one whatever the content type of its images is")
  func manifest() throws {
    try withScratchFolder { (folder) throws in
      let types =
        #"{"train": {"ContentType": "application/x-image", "AttributeNames": ["photo-ref", "kind"]}}"#
      let container = container(
        folder, files: ["train/data.manifest", "validation/v.manifest"], types: types)
      let request = try container.request()
      var options = ManifestOptions()
      (options.image, options.label) = ("photo-ref", "kind")
      #expect(request.train == .manifest(folder + "/input/data/train/data.manifest", options))
      #expect(request.validation == .manifest(folder + "/input/data/validation/v.manifest"))
    }
  }

  @Test("of a tuning the data says how many classes and images there are")
  func tuned() throws {
    try withScratchFolder { (folder) throws in
      let container = container(
        folder, files: ["train/t.rec", "validation/v.rec"],
        hyperparameters: #"{"_tuning_objective_metric": "validation:accuracy"}"#)
      #expect(try !container.request().isComplete)
    }
  }

  @Test("two archives of a model are refused with their names")
  func twoModels() throws {
    try withScratchFolder { (folder) throws in
      let container = container(
        folder,
        files: ["train/t.rec", "validation/v.rec", "model/a.tar.gz", "model/b.tar.gz", "model/._a.tar.gz"])
      let error = #expect(throws: TrainingError.self) { try container.request() }
      #expect(
        error?.description.contains("There are 2 .tar.gz files in the model channel (a.tar.gz, b.tar.gz)")
          == true)
    }
  }

  @Test("a model to start from is a folder or the archive in it", arguments: [true, false])
  func model(_ isArchive: Bool) throws {
    try withScratchFolder { (folder) throws in
      let name = isArchive ? "model.tar.gz" : "image-classification-0001.params"
      let container = container(folder, files: ["train/t.rec", "validation/v.rec", "model/" + name])
      let model = folder + "/input/data/model"
      #expect(try container.request().pretrained == (isArchive ? model + "/model.tar.gz" : model))
    }
  }

  @Test(
    "a channel without its one file is refused with its name",
    arguments: [
      (["validation/v.rec"], "There is no train channel"),
      (["train/t.rec"], "There is no validation channel"),
      (["train/t.txt", "validation/v.rec"], "There is no .rec file in the train channel"),
      (
        ["train/a.rec", "train/b.rec", "validation/v.rec"],
        "There are 2 .rec files in the train channel (a.rec, b.rec)"
      ),
    ])
  func refused(_ row: (files: [String], words: String)) throws {
    try withScratchFolder { (folder) throws in
      let error = #expect(throws: TrainingError.self) {
        try container(folder, files: row.files).request()
      }
      #expect(
        error?.description.hasPrefix("Unable to start training. " + row.words) == true, "\(error as Any)")
    }
  }

  @Test("a failure is at most 1024 characters, in the folder that may not be there yet")
  func failure() throws {
    try withScratchFolder { (folder) throws in
      let container = TrainingContainer(folder + "/ml")
      try container.writeFailure("ClientError: " + String(repeating: "é", count: 2000))
      #expect(readScratchFile(folder + "/ml/output/failure").count == 1024)
    }
  }
}
