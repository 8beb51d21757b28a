package deleteaccount

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// stillDefined refuses an account that Terraform would make anew: its name, its
// ID or its address stands in quotes in one of the files. What can't be read
// is refused as well.
func (o *operation) stillDefined(ctx context.Context, a *Account) error {
	if o.settings.Repository == "" {
		return nil
	}
	unsure := func(err error, why string) error {
		return &ops.Error{
			Kind: ops.Unavailable, Err: err,
			What: fmt.Sprintf("It can't be told whether %s still defines account %s.", o.settings.Repository, a), Next: why,
		}
	}
	unknown := func(err error) error { return unsure(err, ops.Words(githubaccess.Explain(err), "")) }
	owner, name, _ := strings.Cut(o.settings.Repository, "/")
	branch := o.settings.Branch
	if branch == "" {
		repository, _, err := o.github.Repositories.Get(ctx, owner, name)
		if err != nil {
			return unknown(fmt.Errorf("look up %s: %w", o.settings.Repository, err))
		}
		branch = repository.GetDefaultBranch()
	}
	tree, _, err := o.github.Git.GetTree(ctx, owner, name, branch, true)
	if err != nil {
		return unknown(fmt.Errorf("list the files of %s: %w", o.settings.Repository, err))
	}
	if tree.GetTruncated() {
		return unsure(nil, "It has so many files that GitHub doesn't list them all.")
	}
	read := 0
	for _, entry := range tree.Entries {
		if entry.GetType() != "blob" || !o.defines(entry.GetPath()) {
			continue
		}
		read++
		content, _, err := o.github.Git.GetBlobRaw(ctx, owner, name, entry.GetSHA())
		if err != nil {
			return unknown(fmt.Errorf("read %s: %w", entry.GetPath(), err))
		}
		for i, line := range strings.Split(string(content), "\n") {
			for _, word := range []string{a.Name, a.ID, a.Email} {
				if strings.Contains(line, `"`+word+`"`) {
					return refused("Account %s is still defined in %s, so Terraform would make it anew: remove it there first, see %s",
						a, o.settings.Repository, fmt.Sprintf("https://github.com/%s/blob/%s/%s#L%d .", o.settings.Repository, branch, entry.GetPath(), i+1))
				}
			}
		}
	}
	if read == 0 {
		return unsure(nil, fmt.Sprintf("No file in it is like %s: look at paths in the bot's settings.", strings.Join(o.settings.Paths, " or ")))
	}
	return nil
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
