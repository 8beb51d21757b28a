package terraform

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Mention is a place that names the user to be removed.
type Mention struct {
	Place
	What string // aws_iam_user.jo_doe, or the name itself
	Used *Place // where the list around it is used in a way that may count on the order of its elements; nil: nowhere
}

func (m Mention) String() string {
	if m.Used != nil {
		return fmt.Sprintf("%s (%s, in a list whose order may count at %s)", m.Place, m.What, m.Used)
	}
	return fmt.Sprintf("%s (%s)", m.Place, m.What)
}

// Removal is the outcome of taking an IAM user out of Terraform's files.
type Removal struct {
	Label    string            // of the resource that defines the user; empty: no file does, and nothing is removed
	Defined  Place             // where that was
	Provider string            // that the resource names; aws.other may be of another account; empty: none
	Changed  map[string]string // the new texts of the files that change, by path
	Left     []Mention         // what names the user still and can't be taken out by itself; where no file defines the user: all that names them
	Comments []Mention         // comments that name the user, which stay
	Unread   []Unread          // files that couldn't be looked through
}

const userType = "aws_iam_user"

// belongings are resources that belong to one user alone and go with it, with the
// attribute that names the user.
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_user
var belongings = map[string]string{
	"aws_iam_access_key": "user", "aws_iam_service_specific_credential": "user_name", "aws_iam_signing_certificate": "user_name",
	"aws_iam_user_group_membership": "user", "aws_iam_user_login_profile": "user", "aws_iam_user_policies_exclusive": "user_name",
	"aws_iam_user_policy": "user", "aws_iam_user_policy_attachment": "user", "aws_iam_user_policy_attachments_exclusive": "user_name",
	"aws_iam_user_ssh_key": "username",
}

// RemoveUser takes the IAM user of a name out of JSON files, and with it all that is
// the user's alone and each list's element that is the user. IAM's names are compared
// without case. Everything else stays as it is, byte by byte. In files of HCL's own
// syntax, and of variables' values, it only looks. A file among those that must is
// one whose JSON must be valid: *BrokenError otherwise.
func RemoveUser(files []File, name string, must ...string) (Removal, error) {
	r := removal{name: name, texts: map[string]string{}, roots: map[string]*node{}, was: map[string]string{}, cuts: map[string][]extent{}, gone: map[string][]string{}, users: map[string]bool{}, uses: map[string]*Place{}}
	for _, f := range files {
		switch {
		case f.Unseen != "":
			r.Unread = append(r.Unread, Unread{Place: Place{f.Path, 1}, Why: f.Unseen})
		case slices.Contains(must, f.Path), strings.HasSuffix(f.Path, ".tf.json"):
			err := r.read(f.Path, string(f.Text))
			broken, ok := errors.AsType[*BrokenError](err)
			if ok && slices.Contains(must, f.Path) {
				return Removal{}, err
			}
			if ok {
				r.Unread = append(r.Unread, Unread{Place: broken.Place, Why: errNotJSON.Error()})
			}
			r.was[f.Path] = string(f.Text)
		default:
			r.other = append(r.other, f)
		}
	}
	if err := r.define(); err != nil {
		return Removal{}, err
	}
	if r.Label != "" {
		for range mostCuts {
			if !r.cutOne() {
				break
			}
		}
	}
	r.look()
	if r.Label == "" {
		r.lookForExpressions(files)
	}
	for file, text := range r.texts {
		if text != r.was[file] {
			r.Changed[file] = text
		}
	}
	return r.Removal, nil
}

// mostCuts is more than anybody names one user.
const mostCuts = 1000

// BrokenError is a file that isn't valid JSON, or that says one thing twice.
type BrokenError struct {
	Place
	Why string
}

func (e *BrokenError) Error() string { return fmt.Sprintf("%s: %s", e.Place, e.Why) }

// removal is a Removal in the making.
type removal struct {
	Removal
	name  string
	texts map[string]string // of the JSON files, as they have become
	roots map[string]*node
	was   map[string]string
	cuts  map[string][]extent // in the order in which they were made
	other []File
	uses  map[string]*Place   // what positional said, by what it was asked
	users map[string]bool     // names, in small letters, of those whom the JSON files define
	gone  map[string][]string // addresses of the resources that are removed, aws_iam_user.jo_doe, by the folder in which they hold
}

func lineOf(text string, offset int) int { return strings.Count(text[:offset], "\n") + 1 }

func (r *removal) read(file, text string) error {
	if !utf8.ValidString(text) {
		return &BrokenError{Place{file, 1}, "it isn't in UTF-8"}
	}
	root, err := parseJSON(text)
	if broken, ok := errors.AsType[brokenAt](err); ok {
		return &BrokenError{Place{file, lineOf(text, broken.offset)}, "it isn't valid JSON from there on"}
	}
	r.texts[file], r.roots[file] = text, root
	return nil
}

// sorted are the JSON files in the order of their paths.
func (r *removal) sorted() []string {
	var files []string
	for file := range r.roots {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// define finds the resource that is the user, and the names of all users.
func (r *removal) define() error {
	r.Changed = map[string]string{}
	for _, file := range r.sorted() {
		var twice error
		r.roots[file].each(func(n *node) {
			if !n.namesUser() {
				return
			}
			r.users[strings.ToLower(strings.TrimSpace(n.text))] = true
			if !strings.EqualFold(n.text, r.name) {
				return
			}
			at := Place{file, lineOf(r.texts[file], n.start)}
			if r.Label != "" {
				twice = &BrokenError{at, fmt.Sprintf("%s is defined twice: also at %s", r.name, r.Defined)}
				return
			}
			r.Label, r.Defined, r.Provider = n.path()[2], at, n.parent.textOf("provider")
			r.gone[path.Dir(file)] = []string{userType + "." + r.Label}
		})
		if twice != nil {
			return twice
		}
	}
	return nil
}

// namesUser tells whether a node is the name of a user whom a resource defines.
func (n *node) namesUser() bool {
	keys := n.path()
	return n.kind == '"' && len(keys) == 4 && keys[0] == "resource" && keys[1] == userType && keys[2] != comment && keys[3] == "name"
}

// defines tells whether a node is the resource that is the user by its address. A
// label holds in one folder, which is a module of Terraform's: in another it may be
// another person's.
// https://developer.hashicorp.com/terraform/language/files#directories-and-modules
func (r *removal) defines(file string, n *node) bool {
	keys := n.path()
	return path.Dir(file) == path.Dir(r.Defined.Path) && len(keys) == 3 && keys[0] == "resource" && keys[1] == userType && keys[2] == r.Label && n.parent.kind == '{'
}

// isOnly tells whether a resource bears the user's name, and no other.
func (r *removal) isOnly(resource *node) bool {
	var own, others bool
	resource.each(func(n *node) {
		if n.namesUser() {
			same := strings.EqualFold(n.text, r.name)
			own, others = own || same, others || !same
		}
	})
	return own && !others
}

// cutOne cuts one thing out of one file, and tells whether there was any.
func (r *removal) cutOne() bool {
	for _, file := range r.sorted() {
		var out *node
		r.roots[file].each(func(n *node) {
			if out == nil {
				out = r.removable(file, n)
			}
		})
		if out == nil {
			continue
		}
		c := out.extent(r.texts[file])
		r.cuts[file] = append(r.cuts[file], c)
		return r.read(file, r.texts[file][:c.start]+r.texts[file][c.end:]) == nil
	}
	return false
}

// removable returns the node to cut because of a node of a file; nil: none.
func (r *removal) removable(file string, n *node) *node {
	keys := n.path()
	switch {
	case len(keys) == 0 || n.inComment():
		return nil
	case r.defines(file, n) && r.isOnly(n):
		return n.whole()
	case n.kind != '"' || !r.is(file, n.text):
		return nil
	}
	switch last := keys[len(keys)-1]; {
	case n.parent.kind == '[':
		return r.element(file, n)
	case len(keys) == 4 && keys[0] == "resource" && belongings[keys[1]] == last:
		folder := path.Dir(file)
		r.gone[folder] = append(r.gone[folder], keys[1]+"."+keys[2])
		return n.up(3).whole()
	case len(keys) == 2 && (keys[0] == "import" && last == "to" || keys[0] == "moved" && (last == "to" || last == "from")):
		return n.parent.block()
	}
	return nil
}

// block is a block of the root as it is cut: an element of a list, or the only one.
func (n *node) block() *node {
	if n.parent.kind == '[' && len(n.parent.children) == 1 {
		return n.parent
	}
	return n
}

// element is an element of a list if the list may go without it: of members, of what
// something depends on, and of users in locals where nothing counts on their order.
func (r *removal) element(file string, n *node) *node {
	keys := n.path()
	switch last := keys[len(keys)-1]; {
	case keys[0] == "locals":
		if !r.isPeople(n.parent) || r.positional(file, n.parent) != nil {
			return nil
		}
	case last == "depends_on":
	case keys[0] != "resource" || len(keys) != 4 || last != "users":
		return nil
	case keys[1] == "aws_iam_policy_attachment" && len(n.parent.children) == 1:
		return nil // it must have one at least
	case !strings.HasPrefix(keys[1], "aws_iam_"):
		return nil
	}
	return n
}

// is tells whether a text of a file is the user and nothing else: the name, a reference to what
// is removed, or to what names the user of it.
func (r *removal) is(file, text string) bool {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, r.name) {
		return true
	}
	address, ok := reference(text)
	return ok && slices.Contains(r.gone[path.Dir(file)], address)
}

// reference returns the address of the resource that a text is a reference to, be it
// to all of it or to what names a user.
func reference(text string) (address string, ok bool) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "${") && strings.HasSuffix(text, "}") {
		text = text[2 : len(text)-1]
	}
	if !strings.Contains(text, ".") {
		return "", false
	}
	tokens, _ := hclsyntax.LexExpression([]byte(text), "", hcl.InitialPos) // what isn't HCL is no traversal either
	var bare []string
	for _, token := range meaningful(tokens) {
		bare = append(bare, string(token.Bytes))
	}
	to, problems := hclsyntax.ParseTraversalAbs([]byte(strings.Join(bare, " ")), "", hcl.InitialPos)
	if problems.HasErrors() {
		return "", false
	}
	words := strings.Split(traversal(to), ".")
	if len(words) < len(to) {
		return "", false
	}
	if words[0] == alias {
		words = words[1:]
	}
	switch {
	case len(words) < 2 || len(words) > 3:
		return "", false
	case len(words) == 3 && !slices.Contains([]string{"name", "id", "arn", "unique_id"}, words[2]):
		return "", false
	}
	return words[0] + "." + words[1], true
}

// alias is what may stand before a resource's address, and changes nothing.
// https://developer.hashicorp.com/terraform/language/expressions/references#resources
const alias = "resource"

// meaningful are the tokens without the ends of lines and the comments.
func meaningful(tokens hclsyntax.Tokens) hclsyntax.Tokens {
	return slices.DeleteFunc(tokens, func(t hclsyntax.Token) bool {
		return t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment || t.Type == hclsyntax.TokenEOF
	})
}

// look finds what names the user still.
func (r *removal) look() {
	for _, file := range r.sorted() {
		r.roots[file].each(func(n *node) {
			for _, text := range []string{n.key, n.text} {
				what := r.named(file, text)
				if what == "" {
					what = r.declared(file, n)
				}
				if what == "" {
					continue
				}
				mention := Mention{Place: Place{file, r.lineBefore(file, n.from)}, What: what}
				if keys := n.path(); len(keys) > 1 && keys[0] == "locals" && n.parent.kind == '[' && r.Label != "" && r.isPeople(n.parent) {
					mention.Used = r.positional(file, n.parent)
				}
				if n.inComment() {
					r.Comments = append(r.Comments, mention)
				} else {
					r.Left = append(r.Left, mention)
				}
				break
			}
		})
	}
	for _, f := range r.other {
		if IsConfig(f.Path) || IsValues(f.Path) {
			r.lookThrough(f)
		}
		if IsConfig(f.Path) {
			r.lookForBlocks(f)
		}
	}
}

// declared is the address of a removed resource for which a node still is a block: one
// that overrides it, or has the label with another's name. Terraform takes no override
// of what isn't there. Empty: it is no such block.
// https://developer.hashicorp.com/terraform/language/files/override
func (r *removal) declared(file string, n *node) string {
	keys := n.path()
	if len(keys) != 3 || keys[0] != "resource" || n.parent.kind != '{' || !slices.Contains(r.gone[path.Dir(file)], keys[1]+"."+keys[2]) {
		return ""
	}
	return keys[1] + "." + keys[2]
}

// lookForBlocks finds blocks of removed resources, as declared does, in a file of HCL's
// own syntax.
func (r *removal) lookForBlocks(f File) {
	body, _ := parse(f) // as far as it is HCL
	if body == nil {
		return
	}
	found, _ := content(body, blocks)
	for _, block := range found.Blocks {
		if block.Type != "resource" {
			continue
		}
		if address := strings.Join(block.Labels, "."); slices.Contains(r.gone[path.Dir(f.Path)], address) {
			r.Left = append(r.Left, Mention{Place: placeOf(block.DefRange), What: address})
		}
	}
}

// lineBefore is the line, in a file as it was before anything was cut, of what stands
// at an offset now.
func (r *removal) lineBefore(file string, offset int) int {
	for _, c := range slices.Backward(r.cuts[file]) {
		if offset >= c.start {
			offset += c.end - c.start
		}
	}
	return lineOf(r.was[file], offset)
}

// lookForExpressions finds users whose name is put together: the user, and those who
// may be.
func (r *removal) lookForExpressions(files []File) {
	for _, user := range Read(files).Resources(userType, "name") {
		name := user.Texts["name"]
		switch {
		case slices.ContainsFunc(r.Left, func(m Mention) bool { return m.Place == name.Place }):
		case strings.EqualFold(name.Value, r.name):
			r.Left = append(r.Left, Mention{Place: name.Place, What: user.Address})
		case !name.Known:
			r.Unread = append(r.Unread, Unread{Place: user.Place, Why: "an aws_iam_user whose name is an expression", Block: true})
		}
	}
}

// lookThrough finds what names the user in a file that isn't edited. Comments of HCL
// don't count.
func (r *removal) lookThrough(f File) {
	tokens, _ := hclsyntax.LexConfig(f.Text, f.Path, hcl.InitialPos) // what isn't HCL has other tokens
	tokens = meaningful(tokens)
	for i, token := range tokens {
		text := string(token.Bytes)
		switch token.Type {
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
		case hclsyntax.TokenIdent:
			for next := i + 1; next < len(tokens) && next < i+3; next++ {
				text += string(tokens[next].Bytes)
			}
			if within(tokens[:i]) {
				continue
			}
		default:
			continue
		}
		if what := r.named(f.Path, text); what != "" {
			r.Left = append(r.Left, Mention{Place: Place{f.Path, token.Range.Start.Line}, What: what})
		}
	}
}

// within tells whether tokens lead into something, so that the word behind them isn't
// the root of a reference: data., module.x.
func within(before hclsyntax.Tokens) bool {
	is := func(fromEnd int, kind hclsyntax.TokenType) bool {
		return len(before) >= fromEnd && before[len(before)-fromEnd].Type == kind
	}
	aliased := is(2, hclsyntax.TokenIdent) && string(before[len(before)-2].Bytes) == alias && !is(3, hclsyntax.TokenDot)
	return is(1, hclsyntax.TokenDot) && !aliased
}

// gap is what may stand between the words of a reference.
const gap = `(?s:\s|/\*.*?\*/|(?:#|//)[^\n]*\n)*`

// named returns the user's name, or the address of a removed resource, if a text
// of a file has it anywhere; else it is empty.
func (r *removal) named(file, text string) string {
	for _, address := range r.gone[path.Dir(file)] {
		kind, label, _ := strings.Cut(address, ".")
		if !strings.Contains(text, label) {
			continue
		}
		reference := regexp.MustCompile(`(^|[^\w.-])(` + alias + gap + `\.` + gap + `)?` + kind + gap + `\.` + gap + regexp.QuoteMeta(label) + `($|[^\w-])`)
		if reference.MatchString(text) {
			return address
		}
	}
	lower, name := strings.ToLower(text), strings.ToLower(r.name)
	for from := 0; ; {
		i := strings.Index(lower[from:], name)
		if i < 0 {
			return ""
		}
		i += from
		if !touches(lower[:i], true) && !touches(lower[i+len(name):], false) {
			return r.name
		}
		from = i + 1
	}
}

// touches tells whether a text goes on into a name that it stands before or behind:
// then the name is another, longer one.
func touches(text string, before bool) bool {
	if before {
		return text != "" && strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_+.-", rune(text[len(text)-1]))
	}
	text = strings.TrimLeft(text, ".") // a longer domain, or the end of a sentence
	return text != "" && strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_-", rune(text[0]))
}
