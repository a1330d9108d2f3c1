import Glibc
import Models
import TestSupport
import Testing

/// A small training of drawn images.
private let options = [
  "--num-layers", "20", "--image-shape", "3,28,28", "--resize", "32", "--mini-batch-size", "4",
  "--learning-rate",
  "0.01", "--seed", "3", "--epochs", "2",
]

private func train(_ folder: String, _ data: String, _ more: [String]) -> ProgramRun {
  imrec.run(
    ["train", "--train", data, "--validation", data] + options + more, in: folder, seconds: 300)
}

private func parameters(_ folder: String) -> [[UInt8]] {
  scratchNames(folder).filter { $0.hasSuffix(".params") }.compactMap { readScratchBytes("\(folder)/\($0)") }
}

@Suite("What a training learns from")
struct TrainInputTests {
  @Test("records, a list and a manifest of the same images give the same bits")
  func sources() throws {
    try withRecords { (folder) throws in
      let lines = readScratchFile(folder + "/in.lst").split(separator: "\n").map {
        $0.split(separator: "\t").map(String.init)
      }
      let manifest = lines.map { #"{"source-ref": "photos/\#($0[2])", "class": \#($0[1])}"# + "\n" }
      writeScratchFile(folder + "/in.manifest", manifest.joined().utf8)
      let inputs = [("in.rec", []), ("in.lst", ["--root", "photos"]), ("in.manifest", [])]
      // Packed as they are: the records hold the files' own bytes.
      let packed = imrec.run(["pack", "in.lst", "photos", "--pass-through", "--quiet"], in: folder)
      #expect(packed.status == 0, "\(packed)")
      for (data, root) in inputs {
        let run = train(folder, data, root + ["--model-dir", "m-\(data)"])
        #expect(run.status == 0, "\(data): \(run)")
      }
      let expected = parameters(folder + "/m-in.rec")
      #expect(expected.count == 1)
      for (data, _) in inputs { #expect(parameters(folder + "/m-\(data)") == expected, "\(data)") }
    }
  }

  @Test(
    "of a manifest with two numbers an image the label is named, or the training is refused with both names")
  func labelAttribute() throws {
    try withRecords { (folder) throws in
      let lines = readScratchFile(folder + "/in.lst").split(separator: "\n").map {
        $0.split(separator: "\t").map(String.init)
      }
      let manifest = lines.map {
        #"{"source-ref": "photos/\#($0[2])", "label": \#($0[1]), "id": \#($0[0])}"# + "\n"
      }
      writeScratchFile(folder + "/in.manifest", manifest.joined().utf8)
      let refused = train(folder, "in.manifest", ["--model-dir", "m"])
      #expect(
        refused.status == 1
          && refused.errors.contains(
            #"in.manifest:1: the label is ambiguous: it could be any of the attributes "id", "label""#)
          && refused.errors.contains("Name it with --label-attribute"), "\(refused)")
      let named = train(
        folder, "in.manifest", ["--model-dir", "m", "--label-attribute", "label", "--epochs", "1"])
      #expect(named.status == 0 && named.errors.contains("num_classes: 2\n"), "\(named)")
      let mistaken = train(folder, "in.rec", ["--model-dir", "n", "--label-attribute", "label"])
      #expect(mistaken.status == 64 && mistaken.errors.contains("in.rec is not one"), "\(mistaken)")
    }
  }

  @Test(
    "a model to start from is taken whole; of other classes only the last layer is new; of another depth it is refused"
  )
  func pretrained() throws {
    try withRecords(classes: 3) { (folder) throws in
      let first = train(folder, "in.rec", ["--model-dir", "a", "--archive"])
      #expect(first.status == 0, "\(first)")
      for source in ["a", "a/model.tar.gz"] {
        let again = train(
          folder, "in.rec", ["--model-dir", "b", "--overwrite", "--model", source, "--learning-rate", "0"])
        #expect(again.status == 0 && !again.errors.contains("reinitialized"), "\(again)")
        // With a rate of 0 the weights stay; the moving statistics do not.
        let (old, new) = (try Model(folder + "/a").parameters, try Model(folder + "/b").parameters)
        for name in old.names where !name.contains("moving") {
          #expect(try old.values(of: name) == new.values(of: name), "\(name)")
        }
      }
      let other = train(
        folder, "in.rec", ["--model-dir", "c", "--model", "a", "--learning-rate", "0", "--num-classes", "5"])
      #expect(
        other.status == 0
          && other.errors.contains("reinitialized, because the classes differ from the model's: fc1_"),
        "\(other)")
      let (old, new) = (try Model(folder + "/a").parameters, try Model(folder + "/c").parameters)
      #expect(new.shape(of: "fc1_weight")?.first == 5)
      #expect(try old.values(of: "conv0_weight") == new.values(of: "conv0_weight"))
      let deeper = train(folder, "in.rec", ["--model-dir", "d", "--model", "a", "--num-layers", "32"])
      #expect(
        deeper.status == 1 && deeper.errors.contains("the pretrained model has 20 layers for"), "\(deeper)")
      #expect(parameters(folder + "/d").isEmpty)
    }
  }

  @Test("several labels per image are learned, with the weighted loss")
  func manyLabels() throws {
    try withRecords { (folder) throws in
      let lines = readScratchFile(folder + "/in.lst").split(separator: "\n").enumerated().map {
        number, line in
        let fields = line.split(separator: "\t")
        return "\(fields[0])\t\(fields[1])\t\(number % 6 == 0 ? 1 : 0)\t1\t\(fields[2])\n"
      }
      writeScratchFile(folder + "/many.lst", lines.joined().utf8)
      let shared = ["--root", "photos", "--multi-label", "1", "--num-classes", "3"]
      let plain = train(folder, "many.lst", shared + ["--model-dir", "a"])
      #expect(plain.status == 0, "\(plain)")
      let weighted = train(folder, "many.lst", shared + ["--model-dir", "b", "--use-weighted-loss", "1"])
      #expect(weighted.status == 0 && !weighted.errors.contains("warning"), "\(weighted)")
      #expect(parameters(folder + "/a") != parameters(folder + "/b"))
      let wrong = train(
        folder, "many.lst",
        ["--root", "photos", "--multi-label", "1", "--num-classes", "4", "--model-dir", "c"])
      #expect(
        wrong.status == 1
          && wrong.errors.contains(
            "Mismatch between number of labels in the multi-label data (3) and the num_classes parameter (4)"),
        "\(wrong)")
    }
  }

  @Test("early stopping, top k and another precision say what they do")
  func others() throws {
    try withRecords(classes: 3) { (folder) throws in
      let run = train(
        folder, "in.rec",
        [
          "--model-dir", "m", "--epochs", "9", "--learning-rate", "0", "--early-stopping", "True",
          "--early-stopping-min-epochs", "2", "--early-stopping-patience", "1", "--top-k", "2",
          "--precision-dtype",
          "float16", "--early-stopping-tolerance", "1",
        ])
      #expect(run.status == 0, "\(run)")
      #expect(run.errors.contains("Early stopping after epoch 1"), "\(run)")
      #expect(run.errors.contains("Epoch[0] Train-top_k_accuracy_2="), "\(run)")
      #expect(run.errors.contains("Epoch[1] Validation-top_k_accuracy_2="), "\(run)")
      #expect(
        run.errors.contains(
          "precision_dtype has no effect: training computes in float32 unless precision is bf16"), "\(run)")
      #expect(readScratchFile(folder + "/m/metrics.jsonl").split(separator: "\n").count == 2)
    }
  }
}
