import Records
import TestSupport
import Testing

@Suite("Class folders that are probably not classes")
struct LayoutDoubtTests {
  private func doubt(_ files: [String]) throws -> LayoutDoubt? {
    try withScratchFolder { root in
      for file in files { writeScratchFile(root + "/" + file, [1]) }
      return try FolderScan(root: root, layout: .classFolders).layoutDoubt(root: "photos")
    }
  }

  @Test("are recognized by their names, by their subfolders, and by a table beside them")
  func reasons() throws {
    let cases: [([String], LayoutDoubt.Reason)] = [
      (
        ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "val/dog/2.jpg"],
        .parts(["train", "val"], foldersBelow: ["cat", "dog"])
      ),
      (["test/1.jpg", "train/cat/1.jpg", "train/dog/1.jpg"], .parts(["test", "train"], foldersBelow: [])),
      (
        ["seg_train/cat/1.jpg", "seg_test/cat/1.jpg"],
        .parts(["seg_test", "seg_train"], foldersBelow: ["cat"])
      ),
      (
        ["2019/cat/1.jpg", "2019/dog/1.jpg", "2020/cat/1.jpg", "2020/dog/1.jpg"],
        .sameFoldersBelow(["2019", "2020"], foldersBelow: ["cat", "dog"])
      ),
      (["cat/train/1.jpg", "cat/val/1.jpg", "dog/train/1.jpg"], .partsBelow(["train", "val"])),
      (
        ["dataset/dataset/cat/1.jpg", "dataset/dataset/dog/1.jpg"],
        .classesBelow(folder: "dataset/dataset", ["cat", "dog"])
      ),
      (["dataset/cat/1.jpg", "dataset/dog/deep/1.jpg"], .classesBelow(folder: "dataset", ["cat", "dog"])),
      (["images/1.jpg", "masks/1.png"], .imagesAndMarks(["images", "masks"])),
      (
        ["JPEGImages/1.jpg", "SegmentationClass/1.png", "Segmentation_Object/1.png"],
        .imagesAndMarks(["JPEGImages", "SegmentationClass", "Segmentation_Object"])
      ),
      (["images/train/1.jpg", "labels/train/1.txt"], .imagesAndMarks(["images", "labels"])),
      (["images/1.jpg", "labels.csv"], .table("labels.csv", only: "images")),
      (["images/1.jpg", "images/labels.tsv"], .table("images/labels.tsv", only: "images")),
      (["images/1.jpg", "images/notes.txt", "empty/x.md"], .oneClass("images")),
    ]
    for (files, reason) in cases {
      let found = try doubt(files)
      #expect(found?.reason == reason, "\(files)")
    }
  }

  @Test("are not those of an ordinary data set, even if classes have subfolders or are called train")
  func plain() throws {
    #expect(try doubt(["cat/1.jpg", "dog/1.jpg"]) == nil)
    #expect(try doubt(["bus/1.jpg", "train/1.jpg", "car/a/1.jpg"]) == nil)
    #expect(try doubt(["train_station/1.jpg", "crash test/1.jpg", "tree/1.jpg"]) == nil)
    #expect(try doubt(["birds/owl/1.jpg", "birds/wren/1.jpg", "fish/eel/1.jpg", "fish/cod/1.jpg"]) == nil)
  }

  @Test("the description says what to run instead")
  func sentences() throws {
    let split = try doubt(["train/cat/1.jpg", "val/cat/2.jpg"])
    #expect(
      split?.description
        == "the class folders are called train and val and have the same folders below (cat): this looks like a data set "
        + "that is split already, not like classes; run it on photos/train and on the others one by one")
    let testFirst = try doubt(["test/cat/2.jpg", "train/cat/1.jpg"])
    #expect(testFirst?.description.hasSuffix("run it on photos/train and on the others one by one") == true)
    let nested = try doubt(["d/d/cat/1.jpg", "d/d/dog/1.jpg"])
    #expect(nested?.description.hasSuffix("(cat and dog); run it on photos/d/d") == true)
    #expect(nested?.isAnotherLayout == true && LayoutDoubt.Reason.oneClass("a") != nested?.reason)
  }

  @Test("classes whose names differ only in case or in Unicode form are found")
  func lookAlikes() throws {
    let scan = FolderScan(classes: ["Cat", "cat", "e\u{301}", "fox", "\u{e9}"], images: [])
    let alike = scan.lookAlikeClasses
    #expect(alike.map(\.names.count) == [2, 2] && alike.map(\.differOnlyInForm) == [false, true])
    #expect(alike.first?.names == ["Cat", "cat"])
  }
}
