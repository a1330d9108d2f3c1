import Encodings
import HTTPTypes
import TestSupport
import Testing

@testable import S3

@Suite("Signing")
struct SigningTests {
  @Test("the public test suite's requests get its signatures", arguments: try SigningCases.all().suite)
  func publicSuite(_ test: SigningCases.Suite) throws {
    let request = try makeRequest(test.method, test.target, test.headers)
    let names = Set(test.headers.map { $0[0].lowercased() } + ["host"]).sorted()
    let canonical = try CanonicalRequest(
      request, rules: test.kept ? .s3 : .general, signedHeaders: names,
      payload: PayloadDigest(of: Array(test.body.utf8)).text)
    let key = SigningKey(
      secret: secret, scope: SigningScope(day: "20150830", region: "us-east-1", service: "service"))
    #expect(key.signature(of: key.stringToSign(canonical, at: signingTime)) == test.signature)
  }

  @Test("random requests are signed as botocore signs them", arguments: try SigningCases.all().signed)
  func randomRequests(_ test: SigningCases.Signed) throws {
    var request = try makeRequest(test.method, test.target, test.headers)
    let signer = RequestSigner(
      credential(token: test.token), region: test.region, service: test.service, rules: test.signingRules)
    try signer.sign(&request, payload: PayloadDigest(of: Array(test.body)), at: signingTime)
    #expect(request.headerFields[.authorization] == test.authorization)
  }

  @Test("presigned URLs are botocore's", arguments: try SigningCases.all().presigned)
  func presigned(_ test: SigningCases.Presigned) throws {
    let request = try makeRequest(test.method, test.original, test.headers)
    let signer = RequestSigner(credential(token: test.token), region: "us-east-1", service: "s3", rules: .s3)
    let made = RequestTarget(try signer.presign(request, expiringIn: test.expires, at: signingTime))
    let expected = RequestTarget(test.target)
    #expect(made.rawPath == expected.rawPath)
    #expect(made.value("X-Amz-Signature") == expected.value("X-Amz-Signature"))
  }

  @Test("S3's documented example of a signed GET comes out")
  func documentedGet() throws {
    var request = HTTPRequest(
      method: .get, scheme: "https", authority: "examplebucket.s3.amazonaws.com", path: "/test.txt")
    request.headerFields[.range] = "bytes=0-9"
    let signer = RequestSigner(
      Credential(accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
      region: "us-east-1", service: "s3", rules: .s3)
    try signer.sign(&request, payload: .empty, at: try #require(UTCTime(compact: "20130524T000000Z")))
    #expect(
      request.headerFields[.authorization]?.hasSuffix(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41") == true)
  }

  @Test(
    "times are written and read in Amazon's forms",
    arguments: [
      (0, "19700101T000000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
      (951_782_400, "20000229T000000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
      (1_440_938_160, "20150830T123600Z", "Sun, 30 Aug 2015 12:36:00 GMT"),
      (4_107_542_399, "21000228T235959Z", "Sun, 28 Feb 2100 23:59:59 GMT"),
      (253_402_300_799, "99991231T235959Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
  func times(_ seconds: Int, _ compact: String, _ httpDate: String) {
    let time = UTCTime(secondsSince1970: seconds)
    #expect(time.compact == compact)
    #expect(time.httpDate == httpDate)
    #expect(UTCTime(compact: compact) == time)
    #expect(UTCTime(httpDate: httpDate) == time)
  }

  @Test(
    "an invalid time is rejected",
    arguments: [
      "", "20150830", "20150830T123600", "20150230T000000Z", "20151301T000000Z", "2015083xT123600Z",
      "20150830T240000Z",
      "\u{0}0150830T123600Z",
    ])
  func noTimes(_ text: String) {
    #expect(UTCTime(compact: text) == nil)
    #expect(UTCTime(httpDate: text) == nil)
  }

  @Test("times beyond the calendar count as its ends")
  func farTimes() {
    #expect(UTCTime(secondsSince1970: .min).compact == "19700101T000000Z")
    #expect(UTCTime(secondsSince1970: .max).iso8601 == "9999-12-31T23:59:59.000Z")
    #expect(UTCTime(secondsSince1970: 5).advanced(bySeconds: .min).secondsSince1970 == 0)
  }
}
