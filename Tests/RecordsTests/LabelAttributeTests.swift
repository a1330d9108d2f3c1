import Records
import Testing

@Suite("The label among a manifest's attributes")
struct LabelAttributeTests {
  @Test(
    "is the one with metadata, else the only one, else nobody's guess",
    arguments: [
      (["source-ref", "label"], .named("label")),
      (["source-ref", "label", "label-metadata", "confidence"], .named("label")),
      (["zebra", "zebra-metadata", "source-ref", "another-ref", "a"], .named("zebra")),
      (["source-ref", "label", "id"], .several(["id", "label"])),
      (["a", "a-metadata", "b", "b-metadata", "c"], .several(["a", "b"])),
      (["source-ref", "x-metadata"], LabelAttribute.none), ([], LabelAttribute.none),
      // Two spellings of one word are two attributes.
      (["caf\u{E9}", "cafe\u{301}"], .several(["cafe\u{301}", "caf\u{E9}"])),
    ] as [([String], LabelAttribute)])
  func choice(_ names: [String], _ expected: LabelAttribute) {
    #expect(LabelAttribute(among: names) == expected)
    #expect(LabelAttribute(among: names.reversed()) == expected)
  }
}
