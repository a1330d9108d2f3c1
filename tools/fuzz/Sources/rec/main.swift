import Fuzzing
import Records

let magic: [UInt8] = [0x0a, 0x23, 0xd7, 0xce]

func frames(_ payloads: [[UInt8]]) throws -> [UInt8] {
  var bytes: [UInt8] = []
  for payload in payloads { try appendFrame(payload.span, to: &bytes) }
  return bytes
}

func imageRecord(_ header: ImageHeader) throws -> [UInt8] {
  var bytes: [UInt8] = []
  try appendRecord(header, image: [0xff, 0xd8, 0xff, 0xe0, 0].span, to: &bytes)
  return bytes
}

fuzz(
  seeds: {
    try [
      [], frames([[]]), frames([[1], [2, 3], [4, 5, 6], [7, 8, 9, 10]]), frames([magic]),
      frames([magic + magic + [1]]),
      frames([[1, 2, 3, 4] + magic + [5, 6, 7, 8] + magic + [9], [0] + magic]),
      imageRecord(ImageHeader(label: 4, id: 2574)), imageRecord(ImageHeader(labels: [1, 2.5, 3], id: 5)),
      frames([[UInt8](repeating: 7, count: 300), [], magic]),
    ]
  },
  dictionary: [
    #""\x0a\x23\xd7\xce""#, #""\x00\x00\x00\x20""#, #""\x00\x00\x00\x40""#, #""\x00\x00\x00\x60""#,
  ],
  check: { data, count in
    let input = bytes(data, count)
    let path = file(input)
    guard var reader = try? RecordReader(path) else { return 0 }
    require(reader.byteCount == count, "the reader sees the whole file")
    var faultyAt = -1
    var reframed: [UInt8] = []
    while true {
      do throws(RecordError) {
        guard let record = try reader.next() else { break }
        let extent = record.offset..<(record.offset + record.frameByteCount)
        require(reader.offset == extent.upperBound, "the reader moves behind the record")
        reframed.removeAll(keepingCapacity: true)
        try appendFrame(record.payload.span, to: &reframed)
        require(reframed.elementsEqual(input[extent]), "a record frames to the bytes it was read from")
        require((try? reader.read(at: record.offset)) == record, "a record is the same by its offset")
        if let (header, imageStart) = try? record.parse() {
          reframed.removeAll(keepingCapacity: true)
          try appendRecord(header, image: record.payload.span.extracting(imageStart...), to: &reframed)
          require(reframed.elementsEqual(input[extent]), "header and image make the record again")
        }
      } catch {
        require(
          error.offset == reader.offset && error.offset > faultyAt, "a fault stands behind the one before")
        require(!error.description.isEmpty, "a fault has a sentence")
        faultyAt = error.offset
        guard let next = try? reader.resynchronise() else { break }
        require(next > faultyAt && next < count, "the next head is behind the fault")
      }
    }
    require(reader.offset == count, "the reader comes to the end")
    return 0
  })
