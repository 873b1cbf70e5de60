# Carries out a page that adds something: awk -v root=CHECKOUT -v to=FOLDER -f apply_page.awk PAGE
#
# A fenced block after a line <!-- append to: FILE --> is appended to a copy of the checkout's FILE below `to`; one after
# <!-- insert in: FILE before: TEXT --> stands in that copy before the one line that begins with TEXT, but for spaces; one after <!-- new file: FILE --> becomes
# that file. The block after the line "prints" becomes expected.txt. The folders are there already.

function stop(problem) {
  print FILENAME ":" FNR ": " problem > "/dev/stderr"
  failed = 1
  exit 1
}

# An empty file.
function begin(file) {
  printf "" > file
  close(file)
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
  close(to "/" name)
}

# The copy with the block before the line that begins with the text.
function insert_block(   file, line, lines, count, found, i) {
  file = to "/" insert_name
  close(file)
  while ((getline line < file) > 0) lines[++count] = line
  close(file)
  printf "" > file
  for (i = 1; i <= count; i++) {
    line = lines[i]
    sub(/^ +/, "", line)
    if (index(line, insert_before) == 1) {
      found++
      printf "%s", block > file
    }
    print lines[i] > file
  }
  close(file)
  if (found != 1) stop("not one line of " insert_name " begins with " insert_before)
}

/^<!-- insert in: [^ ]+ before: .+ -->$/ {
  insert_name = $0
  sub(/^<!-- insert in: /, "", insert_name)
  sub(/ before: .+$/, "", insert_name)
  insert_before = $0
  sub(/^.* before: /, "", insert_before)
  sub(/ -->$/, "", insert_before)
  begin_copy(insert_name)
  target = "the block"
  block = ""
  next
}

/^<!-- (append to|new file): [^ ]+ -->$/ {
  name = $0
  sub(/^<!-- (append to|new file): /, "", name)
  sub(/ -->$/, "", name)
  if ($2 == "append") {
    begin_copy(name)
  } else {
    begin(to "/" name)
  }
  target = to "/" name
  next
}

$0 == "prints" {
  target = to "/expected.txt"
  begin(target)
  next
}

/^```/ && inside {
  if (target == "the block") insert_block()
  inside = 0
  target = ""
  next
}
/^```/ { inside = 1; if (target != "") blocks++; next }
inside && target == "the block" { block = block $0 "\n"; next }
inside && target != "" { print >> target; next }
!inside && target != "" && $0 != "" { stop("a marked block was expected before this line") }

END {
  if (failed) exit 1
  if (inside) stop("a block is not closed")
  if (blocks < 1) stop("no block is marked")
}
