package removeuser

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/terraform"
)

const (
	// mostChanged is how many changed files are looked through.
	mostChanged = 200
	// largest is how many bytes of a file are.
	largest = 5 << 20
)

// appeared tells why the user may be defined elsewhere than in the files of users since
// the bot proposed the removal, or else since it planned it; empty: nothing shows that. A block
// may have moved into a module, to another address or into a list that for_each reads,
// anywhere in the repository, and Terraform keeps the user then. What stood there when
// the removal was proposed is no such move.
// https://developer.hashicorp.com/terraform/language/moved
func (o *operation) appeared(ctx context.Context, run ops.Run, at source, e edit) (string, error) {
	d, err := kept(run)
	if err != nil {
		return "", err
	}
	var pushed string
	if _, err := run.Recall(ctx, "pushed", &pushed); err != nil {
		return "", err
	}
	c := &comparison{operation: o, at: at, names: namesOf(userOf(run.Request()), len(e.Unread) > 0), address: addressOf(d.Label)}
	if c.is, err = o.tree(ctx, at, e.commit); err != nil {
		return "", o.unread(at, "list of files", err)
	}
	if since := cmp.Or(pushed, d.Commit); since != "" {
		c.was, err = o.tree(ctx, at, since)
		if err != nil && !githubaccess.NotFound(err) { // without it, all of it may be new
			return "", o.unread(at, "list of files", err)
		}
	}
	changed := c.changed()
	if len(changed) > mostChanged {
		return fmt.Sprintf("more than %d files have changed since the removal was proposed", mostChanged), nil
	}
	var named []terraform.Mention
	for _, file := range changed {
		if why := c.unreadable(file); why != "" {
			return why, nil
		}
		found, err := c.newlyNamed(ctx, file)
		if err != nil {
			return "", err
		}
		named = append(named, found...)
	}
	if len(named) > 0 {
		return fmt.Sprintf("since the removal was proposed the user is named at %s", mentions(named)), nil
	}
	for _, u := range e.Unread {
		same, err := c.stood(ctx, u)
		if err != nil {
			return "", err
		}
		if !same {
			return fmt.Sprintf("%s is %s", u.Place, u.Why), nil
		}
	}
	return "", nil
}

// tree is the files of a repository at a commit, by path.
func (o *operation) tree(ctx context.Context, in source, sha string) (map[string]*github.TreeEntry, error) {
	owner, name := in.owner()
	tree, _, err := o.github.Git.GetTree(ctx, owner, name, sha, true)
	if err != nil {
		return nil, err
	}
	if tree.GetTruncated() {
		return nil, &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("%s has so many files that GitHub doesn't list them all.", in.Repository)}
	}
	files := map[string]*github.TreeEntry{}
	for _, entry := range tree.Entries {
		if entry.GetType() != "tree" {
			files[entry.GetPath()] = entry
		}
	}
	return files, nil
}

// comparison is what the files of a repository say of a user at a commit and didn't
// say at an earlier one.
type comparison struct {
	*operation
	at             source
	was, is        map[string]*github.TreeEntry
	names, address *regexp.Regexp // address is nil where it isn't known
}

// isData tells whether Terraform may read a file because a block names it.
func isData(file string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json", ".csv", ".hcl", ".tfvars", ".tpl", ".tftpl"}, path.Ext(file))
}

// changed are the files that Terraform may read and that are others now, sorted.
func (c *comparison) changed() []string {
	var files []string
	for _, file := range slices.Sorted(maps.Keys(c.is)) {
		if (terraform.IsConfig(file) || isData(file)) && c.is[file].GetSHA() != c.was[file].GetSHA() {
			files = append(files, file)
		}
	}
	return files
}

// unreadable tells why a file can't be looked through; empty: it can.
func (c *comparison) unreadable(file string) string {
	switch entry := c.is[file]; {
	case entry.GetMode() == "120000" || entry.GetType() != "blob":
		return fmt.Sprintf("%s is a link since the removal was proposed", file)
	case entry.GetSize() > largest:
		return fmt.Sprintf("%s is too large to be looked through", file)
	}
	return ""
}

// textOf is the text of a file in one of the two trees; empty where it isn't there.
func (c *comparison) textOf(ctx context.Context, in map[string]*github.TreeEntry, file string) (string, error) {
	entry := in[file]
	if entry == nil || entry.GetType() != "blob" {
		return "", nil
	}
	owner, name := c.at.owner()
	text, _, err := c.github.Git.GetBlobRaw(ctx, owner, name, entry.GetSHA())
	if err != nil {
		return "", c.unread(c.at, "file "+file, err)
	}
	return string(text), nil
}

// newlyNamed finds the lines that name the user and that the file didn't have. Where the
// bot looks for the name with more care anyway, in the folders of the files of users, only
// the address of the user's block counts.
func (c *comparison) newlyNamed(ctx context.Context, file string) ([]terraform.Mention, error) {
	is, err := c.textOf(ctx, c.is, file)
	if err != nil {
		return nil, err
	}
	was, err := c.textOf(ctx, c.was, file)
	if err != nil {
		return nil, err
	}
	old := map[string]int{}
	for line := range strings.Lines(was) {
		old[strings.TrimSpace(line)]++
	}
	beside := terraform.IsConfig(file) && (path.Dir(file) == path.Dir(c.at.UsersFile) || path.Dir(file) == path.Dir(c.at.MembersFile))
	var found []terraform.Mention
	n := 0
	for line := range strings.Lines(is) {
		n++
		line = strings.TrimSpace(line)
		if old[line]--; old[line] >= 0 || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") {
			continue
		}
		line = unescaped(line)
		what := ""
		if c.address != nil && terraform.IsConfig(file) {
			what = c.address.FindString(line)
		}
		if what == "" && !beside {
			what = c.names.FindString(line)
		}
		if what != "" {
			found = append(found, terraform.Mention{Place: terraform.Place{Path: file, Line: n}, What: strings.Trim(what, " \"':.,[](){}")})
		}
	}
	return found, nil
}

// stood tells whether what can't be read stood there already, word for word.
func (c *comparison) stood(ctx context.Context, u terraform.Unread) (bool, error) {
	if c.is[u.Path].GetSHA() == c.was[u.Path].GetSHA() {
		return c.is[u.Path] != nil, nil
	}
	if !u.Block {
		return false, nil
	}
	is, err := c.textOf(ctx, c.is, u.Path)
	if err != nil {
		return false, err
	}
	was, err := c.textOf(ctx, c.was, u.Path)
	return strings.Contains(was, blockAt(is, u.Line)), err
}

// blockAt is the lines of a block that begins in a line of a text, up to the brace that
// closes it; to the end of the text where none does.
func blockAt(text string, line int) string {
	var b strings.Builder
	n, depth, opened := 0, 0, false
	for l := range strings.Lines(text) {
		if n++; n < line {
			continue
		}
		b.WriteString(l)
		opened = opened || strings.Contains(l, "{")
		if depth += strings.Count(l, "{") - strings.Count(l, "}"); opened && depth <= 0 {
			break
		}
	}
	return b.String()
}

var escaped = regexp.MustCompile(`\\u00[2-7][0-9a-fA-F]`)

// unescaped is a line with the letters that JSON may write as numbers.
func unescaped(line string) string {
	return escaped.ReplaceAllStringFunc(line, func(code string) string {
		letter, _ := strconv.ParseUint(code[2:], 16, 8)
		return string(rune(letter))
	})
}

// namesOf matches a user's name and no longer one. Where names are put together of
// pieces, it matches what stands before the domain as well.
func namesOf(user string, pieces bool) *regexp.Regexp {
	local, domain, _ := strings.Cut(user, "@")
	rest := "@" + regexp.QuoteMeta(domain) + `(?:$|\.*(?:$|[^\w.-]))`
	if pieces {
		rest = `(?:` + rest + `|$|[^\w@+.=,-])`
	}
	return regexp.MustCompile(`(?i)(?:^|[^\w+.=,-])` + regexp.QuoteMeta(local) + rest)
}

// addressOf matches what refers to the user's block, or is a block of the same address:
// aws_iam_user.jo_doe in a moved or removed block, "jo_doe": { in JSON. Nil: no label.
func addressOf(label string) *regexp.Regexp {
	if label == "" {
		return nil
	}
	l := regexp.QuoteMeta(label)
	return regexp.MustCompile(`aws_iam_user\s*\.\s*` + l + `(?:$|[^\w-])|"aws_iam_user"\s+"` + l + `"|"` + l + `"\s*:`)
}
