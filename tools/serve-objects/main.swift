import Glibc
import Logging
import S3
import ServiceLifecycle

// A store behind S3's protocol and nothing else, for tools/oracle/services/s3.py and tools/bench/objects:
//   serve-objects ROOT [--port N] [--sign ACCESS_KEY SECRET_KEY] [--quick]
// The port is printed when requests are answered; --quick does not wait for the disk.

var root = ""
var port = 0
var options = S3Service.Options()
var durably = true
var words = CommandLine.arguments.dropFirst()
while let word = words.popFirst() {
  switch word {
  case "--port": port = words.popFirst().flatMap { Int($0) } ?? 0
  case "--quick": durably = false
  case "--sign":
    guard let key = words.popFirst(), let secret = words.popFirst() else { exit(64) }
    options.requiresSignature = true
    options.credentials = [Credential(accessKey: key, secretKey: secret)]
  default: root = word
  }
}
if root.isEmpty { exit(64) }
let service = S3Service(try ObjectStore(root: root, durably: durably), options: options)
var logger = Logger(label: "serve-objects")
logger.logLevel = .error
let application = try S3Application.make(service, port: port, logger: logger) { port in
  print(port)
  fflush(nil)
}
try await ServiceGroup(
  configuration: .init(services: [application], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
).run()
