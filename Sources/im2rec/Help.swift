/// The text of `--help`: every option with its default, on 80 columns.
let helpText = """
  OVERVIEW: Make image lists, or pack the images of a list into a RecordIO file.
  A drop-in for im2rec.py of MXNet 1.9.1: the same options, the same bytes.

  USAGE: im2rec --list [list options] <prefix> <root>
         im2rec [record options] <prefix> <root>

  EXAMPLE: im2rec --list --recursive --train-ratio 0.9 pets photos/
           im2rec --resize 256 --quality 95 --num-thread 4 pets photos/

    <prefix>            Prefix of the .lst, .rec and .idx files. Every list whose
                        name starts with it is packed. Of a folder: every list in it.
    <root>              The folder that holds the images.

  LIST OPTIONS
    --list              Write <prefix>.lst, and print each folder's label.
    --exts <.e> ...     Extensions of images. (default: .jpeg .jpg .png)
    --recursive         One label for each folder. (default: root's own files, label 0)
    --no-shuffle        Keep the order of the folders. (default: shuffled, always alike)
    --chunks <count>    Write this many lists. (default: 1)
    --train-ratio <0-1> Share for <prefix>_train.lst, the rest for _val. (default: 1,
                        one list)
    --test-ratio <0-1>  Share for <prefix>_test.lst. (default: 0)

  RECORD OPTIONS
    --resize <pixels>   Scale the shorter side to this. (default: 0, keep the size)
    --center-crop       Cut the middle square out, before scaling.
    --quality <1-100>   JPEG quality; for PNG the compression, 0-9. (default: 95)
    --encoding <format> .jpg or .png (default: .jpg)
    --color <mode>      1 colour, 0 grey, -1 as stored. (default: 1)
    --pass-through      Keep each file's bytes; the options above do nothing. Looks
                        at the header and the end of a JPEG, not for damage inside.
    --pack-label        Keep all labels of a line. (default: the first)
    --num-thread <n>    Images in work at once. The bytes do not depend on it.
                        (default: 1)

  NOT IN IM2REC.PY
    --keep-damaged      Pack what can be read of damaged images, as im2rec.py
                        does. (default: skip them, and say so)
    --strict            Stop at the first image that cannot be read or is doubtful.
    --max-pixels <n>    Refuse larger images. (default: 178956970)
    --quiet             No progress.
    --version           Show the version.
    -h, --help          Show this text.

  Options may be shortened as long as they stay clear: --rec for --recursive. The old
  spellings (--list True, --shuffle 1) are understood, with a warning.

  EXIT STATUS: 0 all done · 1 failed, nothing half-written · 2 done, some images
  skipped · 64 wrong usage

  """
