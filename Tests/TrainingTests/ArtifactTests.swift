import Imaging
import Models
import TestSupport
import Testing

@testable import Training

@Suite struct ArtifactTests {
  private func network() throws -> ResNet { try ResNet(depth: 20, classCount: 2, inputShape: [3, 28, 28]) }

  private func artifact(_ folder: String, classes: [String]? = ["a", "b"], isResumed: Bool = false) throws
    -> Artifact
  {
    try Artifact(
      network(), folder: folder, batch: 4, classes: classes,
      preset: Preset(resize: 32, shape: [3, 28, 28], mean: [1, 2, 3]), isResumed: isResumed)
  }

  @Test("the folder has SageMaker's files and ours, and is a model")
  func files() throws {
    try withScratchFolder { (folder) throws in
      let artifact = try artifact(folder + "/m/model")
      let parameters = Parameters(initialFor: try network().graph, seed: 1)
      let path = try artifact.store(parameters, epoch: 3, isOnly: true)
      #expect(path == folder + "/m/model/image-classification-0003.params")
      #expect(
        scratchNames(folder + "/m/model") == [
          "classes.txt", "image-classification-0003.params", "image-classification-symbol.json",
          "model-shapes.json", "preprocess.json",
        ])
      #expect(readScratchFile(folder + "/m/model/classes.txt") == "a\nb\n")
      #expect(
        readScratchFile(folder + "/m/model/preprocess.json")
          == #"{"filter":"linear","mean":[1,2,3],"mode":"crop","resize":32,"shape":[3,28,28],"std":[1,1,1]}"#
          + "\n")
      let archive = try artifact.archive()
      #expect(try Model(archive).classes == Array("a\nb\n".utf8))
      #expect(try Model(archive).epoch == 3)
    }
  }

  @Test(
    "a better model takes the place of the one before; without that all are kept, but none of a former run")
  func replaced() throws {
    try withScratchFolder { (folder) throws in
      let parameters = Parameters(initialFor: try network().graph, seed: 1)
      func names() -> [String] { scratchNames(folder).filter { $0.hasSuffix(".params") } }
      writeScratchFile(folder + "/image-classification-0099.params", [1])
      writeScratchFile(folder + "/other-0099.params", [1])
      let first = try artifact(folder)
      _ = try first.store(parameters, epoch: 1, isOnly: true)
      _ = try first.store(parameters, epoch: 4, isOnly: true)
      #expect(names() == ["image-classification-0004.params", "other-0099.params"])
      let resumed = try artifact(folder, isResumed: true)
      _ = try resumed.store(parameters, epoch: 6, isOnly: false)
      #expect(
        names() == [
          "image-classification-0004.params", "image-classification-0006.params", "other-0099.params",
        ])
    }
  }

  @Test("without class names, those of an earlier run are removed")
  func classes() throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/classes.txt", "x\n".utf8)
      let parameters = Parameters(initialFor: try network().graph, seed: 1)
      _ = try artifact(folder, classes: nil).store(parameters, epoch: 1, isOnly: true)
      #expect(!scratchNames(folder).contains("classes.txt"))
    }
  }
}
