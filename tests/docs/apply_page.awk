# Carries out docs/add-an-op.md: awk -v root=CHECKOUT -v to=FOLDER -f apply_page.awk PAGE
#
# A fenced block after a line <!-- append to: FILE --> is appended to a copy of the checkout's FILE below `to`; one after <!-- new file: FILE --> becomes that
# file. The block after the line "prints" becomes expected.txt. The folders are there already.

function stop(problem) {
  print FILENAME ":" FNR ": " problem > "/dev/stderr"
  failed = 1
  exit 1
}

# The checkout's file, copied once.
function begin_copy(name,   line, from, got) {
  if (name in copied) return
  copied[name] = 1
  from = root "/" name
  printf "" > (to "/" name)
  while ((got = (getline line < from)) > 0) print line > (to "/" name)
  if (got < 0) stop("there is no file " name)
  close(from)
}

/^<!-- (append to|new file): [^ ]+ -->$/ {
  name = $0
  sub(/^<!-- (append to|new file): /, "", name)
  sub(/ -->$/, "", name)
  if ($2 == "append") {
    begin_copy(name)
  } else {
    printf "" > (to "/" name)
  }
  target = to "/" name
  next
}

$0 == "prints" { target = to "/expected.txt"; next }

/^```/ && inside { inside = 0; target = ""; next }
/^```/ { inside = 1; if (target != "") blocks++; next }
inside && target != "" { print > target; next }
!inside && target != "" && $0 != "" { stop("a marked block was expected before this line") }

END {
  if (failed) exit 1
  if (inside) stop("a block is not closed")
  if (blocks < 1) stop("no block is marked")
}
