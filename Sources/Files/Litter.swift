/// Whether operating systems, editors, synchronising programs and version control leave files or folders of this name
/// behind: never an image, a class, a model or an output of a user's.
///
/// Names that could be those of a class ("recycled", "CVS") are not among them.
///
/// - Parameter name: the last component of a path.
public func isLitter(_ name: String) -> Bool {
  if name.hasBytePrefix("._") || name.hasBytePrefix(".Trash-") || name.hasBytePrefix(".nfs") { return true }
  // Office programs' owner files, and what editors keep of an earlier version.
  if name.hasBytePrefix("~$") || name.hasBytePrefix(".#") || name.hasByteSuffix("~") { return true }
  if name.hasBytePrefix(".") && (name.hasByteSuffix(".swp") || name.hasByteSuffix(".swo")) { return true }
  // The file of an `OutputLock`.
  if name.hasByteSuffix(".imrec.lock") { return true }
  return litter.contains(ByteName(name)) || litterOfWindows.contains(ByteName(name.lowercased()))
}

private let litter = Set(
  [
    // macOS
    ".DS_Store", ".localized", ".AppleDouble", ".AppleDB", ".AppleDesktop", ".apdisk", ".Spotlight-V100",
    ".Trashes",
    ".Trash", ".fseventsd", ".TemporaryItems", ".DocumentRevisions-V100", ".VolumeIcon.icns",
    ".com.apple.timemachine.donotpresent", ".metadata_never_index", "__MACOSX", "Icon\r",
    // Linux desktops and file systems
    ".directory", ".thumbnails", ".hidden", "lost+found",
    // file servers and what keeps folders in step
    "@eaDir", "#recycle", "#snapshot", ".snapshot", ".snapshots", "@Recycle", ".@__thumb", ".stfolder",
    ".stversions",
    ".dropbox", ".dropbox.attr", ".dropbox.cache", ".sync", ".owncloudsync.log", ".picasa.ini",
    // version control and programming
    ".git", ".gitignore", ".gitattributes", ".gitkeep", ".keep", ".svn", ".hg", ".bzr", ".dvc",
    ".dvcignore",
    ".ipynb_checkpoints", "__pycache__", ".idea", ".vscode", ".cache", ".venv",
  ].map { ByteName($0) })

/// Windows does not tell upper from lower case.
private let litterOfWindows = Set(
  [
    "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "$recycle.bin",
    "system volume information", "found.000", "folder.htt", "desktop.htt",
  ].map { ByteName($0) })
