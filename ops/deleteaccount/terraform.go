package deleteaccount

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/terraform"
)

// inTerraform tells how far Terraform's files show that they don't define an account. The zero value: no repository is looked at.
type inTerraform struct {
	repository, branch string
	files              int      // that were read
	unseen             []string // what may define the account, and can't be told by the files alone: "file:line (why)"
}

// stillDefined refuses an account that Terraform would make anew, and says how far
// that could be seen. What can't be read is refused as well.
func (o *operation) stillDefined(ctx context.Context, r ops.Request, a *Account) (inTerraform, error) {
	if o.settings.Repository == "" {
		return inTerraform{}, nil
	}
	found := inTerraform{repository: o.settings.Repository, branch: o.settings.Branch}
	unsure := func(err error, why string) error {
		return &ops.Error{
			Kind: ops.Unavailable, Err: err, Passing: ops.IsPassing(githubaccess.Explain(err)),
			What: fmt.Sprintf("It can't be told whether %s still defines account %s.", found.repository, a), Next: why,
		}
	}
	if found.branch == "" {
		owner, name, _ := strings.Cut(found.repository, "/")
		repository, _, err := o.github.Repositories.Get(ctx, owner, name)
		if err != nil {
			err = fmt.Errorf("look up %s: %w", found.repository, err)
			return found, unsure(err, ops.Words(githubaccess.Explain(err), ""))
		}
		found.branch = repository.GetDefaultBranch()
	}
	files, err := o.terraformFiles(ctx, found.branch)
	if err != nil {
		return found, unsure(err, ops.Words(githubaccess.Explain(err), ""))
	}
	if !slices.ContainsFunc(files, func(f terraform.File) bool { return o.defines(f.Path) }) {
		return found, unsure(nil, fmt.Sprintf("No file in it is like %s: look at paths in the bot's settings.", strings.Join(o.settings.Paths, " or ")))
	}
	found.files = len(files)
	s := search{operation: o, request: r, account: a}
	at, err := s.look(ctx, files)
	if err != nil {
		return found, err
	}
	if at != nil {
		return found, refused("Account %s is still defined in %s, so Terraform would make it anew: remove it there first, see %s",
			a, found.repository, fmt.Sprintf("https://github.com/%s/blob/%s/%s#L%d .", found.repository, found.branch, at.Path, at.Line))
	}
	found.unseen = s.unseen
	return found, nil
}

// defines tells whether accounts are defined in a file.
func (o *operation) defines(file string) bool {
	for _, pattern := range o.settings.Paths {
		if matched, _ := path.Match(pattern, file); matched {
			return true
		}
	}
	return false
}

// terraformFiles reads the files in which accounts are defined and, for their locals
// and variables, the others that Terraform reads with them.
func (o *operation) terraformFiles(ctx context.Context, branch string) ([]terraform.File, error) {
	read, err := o.files.Read(ctx, o.github, o.settings.Repository, branch, func(paths []string) func(string) bool {
		folders := map[string]bool{}
		for _, file := range paths {
			if o.defines(file) {
				folders[path.Dir(file)] = true
			}
		}
		return func(file string) bool {
			return o.defines(file) || folders[path.Dir(file)] && (terraform.IsConfig(file) || terraform.IsValues(file))
		}
	})
	var files []terraform.File
	for _, f := range read {
		files = append(files, terraform.File{Path: f.Path, Text: f.Text, Unseen: f.Unseen})
	}
	return files, err
}

// search looks for one account in Terraform's files.
type search struct {
	*operation
	request ops.Request
	account *Account
	others  []entry // the organisation's other accounts; read when they are needed
	read    bool
	unseen  []string
}

func (s *search) cannotSee(at terraform.Place, why string) {
	s.unseen = append(s.unseen, fmt.Sprintf("%s (%s)", at, why))
}

// look says where the account is defined; nil: nowhere that can be seen.
func (s *search) look(ctx context.Context, files []terraform.File) (*terraform.Place, error) {
	config := terraform.Read(files)
	for _, resource := range config.Resources("aws_organizations_account", "name", "email") {
		if at, err := s.inResource(ctx, resource); at != nil || err != nil {
			return at, err
		}
	}
	for _, imported := range config.Imports() {
		switch aboutAccount := imported.To == "" || strings.Contains(imported.To, "aws_organizations_account"); {
		case !aboutAccount:
		case imported.ID.Known && imported.ID.Value == s.account.ID:
			return &imported.Place, nil
		case !imported.ID.Known:
			s.cannotSee(imported.Place, "the ID that it imports is an expression")
		}
	}
	if at, err := s.inMakers(ctx, config); at != nil || err != nil {
		return at, err
	}
	for _, unread := range config.Unread {
		s.cannotSee(unread.Place, unread.Why)
	}
	for _, file := range files {
		broken := slices.ContainsFunc(config.Unread, func(u terraform.Unread) bool { return u.Path == file.Path })
		if s.defines(file.Path) && (broken || !terraform.IsConfig(file.Path) && !terraform.IsValues(file.Path)) {
			if line := s.inText(string(file.Text)); line > 0 {
				return &terraform.Place{Path: file.Path, Line: line}, nil
			}
		}
	}
	return nil, nil
}

// inResource says where a resource is the account's.
func (s *search) inResource(ctx context.Context, resource terraform.Resource) (*terraform.Place, error) {
	a, name := s.account, resource.Texts["name"]
	email, has := resource.Texts["email"]
	switch {
	case isAddress(email, a.Email):
		return &email.Place, nil
	case isName(name, a.Name):
		// Accounts may have one name, but no two have one address.
		if email.Known || len(email.Parts) > 0 {
			others, err := s.otherAccounts(ctx)
			if err != nil || slices.ContainsFunc(others, func(e entry) bool { return isAddress(email, e.email) }) {
				return nil, err
			}
		}
		return &name.Place, nil
	}
	// Name and address may be changed at AWS while the files keep the old ones. Terraform
	// makes no account without an address.
	if !has && name.Known && !resource.Ignores("name") && resource.Why == "" {
		return nil, nil
	}
	others, err := s.otherAccounts(ctx)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if isAddress(email, other.email) || isName(name, other.name) {
			return nil, nil
		}
	}
	s.cannotSee(resource.Place, why(resource, a))
	return nil, nil
}

// why says what keeps a resource from being told from an account.
func why(resource terraform.Resource, a *Account) string {
	name, email := resource.Texts["name"], resource.Texts["email"]
	switch {
	case name.MayBe(a.Name), email.MayBe(a.Email):
		return "it may well be this account: its name or address is an expression that fits"
	case resource.Why != "":
		return resource.Why
	case email.Known && !resource.Ignores("email"):
		return fmt.Sprintf("called %q there with the address %s, and no account of the organisation has that name or address, so AWS may have it under new ones", name.Value, email.Value)
	case name.Known && resource.Ignores("name"):
		return fmt.Sprintf("called %q there; name and address may have changed since, and Terraform ignores that", name.Value)
	case name.Known:
		return fmt.Sprintf("called %q there, as no other account of the organisation is, and its address is an expression", name.Value)
	}
	return "its name is an expression"
}

// otherAccounts are the organisation's accounts but the one that is looked for.
func (s *search) otherAccounts(ctx context.Context) ([]entry, error) {
	if !s.read {
		if err := s.refresh(ctx, s.request, listFor); err != nil {
			return nil, err
		}
		s.found.mu.Lock()
		s.others = slices.DeleteFunc(slices.Clone(s.found.list), func(e entry) bool { return e.id == s.account.ID })
		s.found.mu.Unlock()
		s.read = true
	}
	return s.others, nil
}

func isName(text terraform.Text, name string) bool {
	return text.Known && strings.EqualFold(strings.TrimSpace(text.Value), strings.TrimSpace(name))
}

// isAddress tells whether a text is an account's address or, where it is made of more
// than the files have, whether it is made with the address's local part, or with the
// end of it behind a plus: replace(local.template, "{email}", "pond-watch").
func isAddress(text terraform.Text, address string) bool {
	if text.Known {
		return strings.EqualFold(strings.TrimSpace(text.Value), address)
	}
	local, _, _ := strings.Cut(strings.ToLower(address), "@")
	return slices.ContainsFunc(text.Parts, func(part string) bool {
		part, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(part)), "@")
		part = strings.TrimPrefix(part, "+")
		return part != "" && (part == local || strings.HasSuffix(local, "+"+part))
	})
}

// comment is a line of which nothing counts.
var comment = regexp.MustCompile(`^\s*(#|//)`)

// inText is the line in a file of another kind that has the account's name, ID or
// address by itself: in quotes, or behind a colon. 0: none has.
func (s *search) inText(text string) int {
	for i, line := range strings.Split(text, "\n") {
		if comment.MatchString(line) {
			continue
		}
		line = strings.ToLower(line)
		_, value, _ := strings.Cut(line, ":")
		for _, word := range []string{s.account.Name, s.account.ID, s.account.Email} {
			word = strings.ToLower(word)
			if strings.Contains(line, `"`+word+`"`) || strings.TrimSpace(value) == word {
				return i + 1
			}
		}
	}
	return 0
}

func countFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// mostUnseen is how many places that can't be seen are named.
const mostUnseen = 10

// tell says how far it could be seen that no file defines the account.
func (f inTerraform) tell() (facts []ops.Fact, warnings []string) {
	if f.repository == "" {
		return []ops.Fact{{Label: "Terraform", Value: "not looked at: the bot's settings name no repository"}}, nil
	}
	facts = []ops.Fact{{Label: "Terraform", Value: fmt.Sprintf("nothing found by name, ID or address in %s of %s (%s)", countFiles(f.files), f.repository, f.branch)}}
	if len(f.unseen) == 0 {
		return facts, nil
	}
	list := strings.Join(f.unseen[:min(len(f.unseen), mostUnseen)], "; ")
	if more := len(f.unseen) - mostUnseen; more > 0 {
		list += fmt.Sprintf("; %d more", more)
	}
	return facts, []string{fmt.Sprintf("Whether Terraform defines it at these places can't be seen here, so look at them in %s before you approve: %s.", f.repository, list)}
}
