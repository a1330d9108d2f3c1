import Glibc
import TestSupport
import Testing

@Suite("The bytes of an output")
struct DeterminismTests {
  private let converting = ["convert", "photos", "out/c", "--per-class", "12", "--resize", "40", "--quiet"]

  @Test("depend on nothing but the input and the options")
  func surroundings() throws {
    try withScratchFolder { folder in
      try writeClasses(folder + "/photos", classes: 3, each: 20)
      writeScratchFile(folder + "/photos/a/broken.jpg", Array("GIF89a".utf8))
      let first = convert(folder)
      #expect(first.count == 8)
      for jobs in ["1", "2", "3", "8", "64"] {
        #expect(convert(folder, ["--jobs", jobs]) == first, "--jobs \(jobs)")
      }
      let environments = [
        ["TZ": "Asia/Kolkata"], ["LANG": "de_DE.UTF-8", "LC_ALL": "tr_TR.UTF-8"], ["LC_ALL": "C"],
        ["TERM": "dumb", "COLUMNS": "20"], ["HOME": "/nonexistent", "TMPDIR": "/nonexistent"],
      ]
      for environment in environments {
        #expect(convert(folder, environment: environment) == first, "\(environment)")
      }
      let former = umask(0o77)
      defer { umask(former) }
      #expect(convert(folder) == first)
      umask(0)
      #expect(convert(folder) == first)
      // Names in another order on disk, other times, other permissions.
      for name in scratchNames(folder + "/photos/b").reversed() {
        let path = "\(folder)/photos/b/\(name)"
        let bytes = readScratchBytes(path) ?? []
        unlink(path)
        writeScratchFile(path, bytes)
        chmod(path, 0o600)
      }
      #expect(convert(folder) == first)
    }
  }

  @Test("do not depend on where the program is called from")
  func workingFolder() throws {
    try withRecords { folder in
      let whole = finalFiles(folder)
      mkdir(folder + "/deep", 0o700)
      let run = imrec.run(
        ["pack", "../in.lst", "../photos", "-o", "in.rec", "--quiet"], in: folder + "/deep")
      #expect(run.status == 0, "\(run)")
      #expect(finalFiles(folder + "/deep") == whole.filter { $0.key != "in.lst" })
      let absolute = imrec.run(
        ["pack", folder + "/in.lst", folder + "/photos", "-o", folder + "/abs.rec", "--quiet"], in: "/")
      #expect(absolute.status == 0 && finalFiles(folder)["abs.rec"] == whole["in.rec"], "\(absolute)")
    }
  }

  @Test("of every other verb are the same for any number of jobs")
  func otherVerbs() throws {
    try withRecords { folder in
      var results: Set<[[UInt8]]> = []
      for jobs in ["1", "2", "3", "8"] {
        let tensors = ["tensors", "in.rec", "-o", "t.npy", "--shape", "3,16,16", "--jobs", jobs]
        #expect(imrec.run(tensors, in: folder).status == 0)
        #expect(
          imrec.run(["verify", "in.rec", "--salvage", "s.rec", "--jobs", jobs], in: folder).status == 0)
        let files = finalFiles(folder)
        results.insert(["t.npy", "t-labels.npy", "s.rec", "s.idx"].map { files[$0] ?? [] })
        #expect(files["s.rec"] == files["in.rec"] && files["s.idx"] == files["in.idx"])
      }
      #expect(results.count == 1)
    }
  }

  private func convert(
    _ folder: String, _ options: [String] = [], environment: [String: String] = [:]
  ) -> [String: [UInt8]] {
    for name in scratchNames(folder + "/out") { unlink("\(folder)/out/\(name)") }
    mkdir(folder + "/out", 0o700)
    let run = imrec.run(converting + options, in: folder, environment: environment)
    #expect(run.status == 2, "\(run)")
    return finalFiles(folder + "/out")
  }
}
