# Gives Doxygen the comments of this code, which are plain ones:
#   - the comment that opens a file describes the file;
#   - the comment right above a declaration describes it, and the declarations that follow without a blank line between; so a class's comment also stands for
#     the members that follow its opening brace at once, and the heading of a section for the declarations after one blank line;
#   - a comment at the end of a declaration's line describes that declaration.
# Line numbers stay as they are, so that warnings point to the source.

function as_documentation(line) {
  if (line ~ /^ *\/\/ ?/) sub(/\/\/ ?/, "/// ", line)
  return line
}

# How many more braces a line opens than it closes.
function braces(line,   opened, closed) {
  opened = gsub(/\{/, "{", line)
  closed = gsub(/\}/, "}", line)
  return opened - closed
}

# "int a = 0, b = 0;" as a declaration each.
function one_by_one(line,   type) {
  match(line, /^ *[A-Za-z_0-9:]+ /)
  type = substr(line, 1, RLENGTH)
  sub(/^ */, "", type)
  at = index(line, ";")
  declarators = substr(line, 1, at)
  gsub(/, /, "; /** See the declaration above. */ " type, declarators)
  return declarators substr(line, at + 1)
}

NR == 1 { in_head = ($0 ~ /^\/\//) }

# The head: its lines are held back until #pragma once, whose own line makes room for the \file command.
in_head {
  if ($0 ~ /^\/\//) { head[++heads] = as_documentation($0); next }
  if ($0 ~ /^#pragma once/) {
    print "/// \\file"
    for (i = 1; i <= heads; ++i) print head[i]
    in_head = 0
    next
  }
  for (i = 1; i <= heads; ++i) print head[i]
  in_head = 0
}

# Function bodies hold no declarations.
body > 0 { body += braces($0); print; next }

/^ *\/\/ ?NOLINT/ || /^ *\/\/ ?clang-format/ { print; next }

/^#define/ { print "/** A macro of this file. */ " $0; next }
/^#/ { print; next }

/^ *\/\// { print as_documentation($0); above = "comment"; blank = 0; next }

/^[ \t]*$/ { if (above != "comment" || blank) above = ""; blank = 1; print; next }
{ blank = 0 }
/^ *(public|protected|private):/ { print; next }

{
  line = $0
  trailing = 0
  if (line ~ /^ *[A-Za-z_0-9:]+ [a-z_0-9]+( = [^,(){}]+)?(, [a-z_0-9]+( = [^,(){}]+)?)+;/) line = one_by_one(line)
  # A comment at the end of the line, unless it is part of a string.
  if (match(line, /[;,{}] +\/\/ /) && line !~ /\/\/ NOLINT/) {
    at = RSTART + 1
    head_part = substr(line, 1, at - 1)
    comment = substr(line, at)
    sub(/\/\/ /, "///< ", comment)
    line = head_part comment
    trailing = 1
  } else {
    sub(/ *\/\/ NOLINT.*$/, "", line)
  }
  # The next declaration of a run starts on a line after one that ended.
  if (above == "declared" && !trailing && line ~ /^ *[A-Za-z~\[]/) line = "/** See the declaration above. */ " line
  if (above != "" || trailing) above = (line ~ /[;{}]( *\/\/.*)?$/) ? "declared" : "open"
  if (line ~ /\) *(const)? *(noexcept)? *(override)?[^;]*\{$/ && line !~ /^ *(class|struct|union|enum|namespace) /) {
    body = 1
    above = (above == "") ? "" : "declared"
  }
  print line
}
