package removeuser

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/terraform"
)

// edit takes one user out of the files that define users, in memory.
type edit struct {
	terraform.Removal
	modes  map[string]string // of the files, as git has them
	was    map[string]string // the texts of the files that it changes, as they are
	links  map[string]string // the files to which symbolic links lead
	looked int               // how many files were looked through
	commit string            // that was read
	unseen string            // why others that Terraform reads weren't; empty: they were
}

func (e edit) found() bool { return e.Label != "" }

// files are those that the edit changes, in the order in which people are told of them.
func (e edit) files(at source) []string {
	files := slices.Sorted(maps.Keys(e.Changed))
	slices.SortStableFunc(files, func(a, b string) int { return cmp.Compare(at.rank(a), at.rank(b)) })
	return files
}

// cuts are the lines that the edit takes out of each file, with a line around them: what
// git goes by where it merges the edit into newer files.
func (e edit) cuts() map[string][]string {
	all := map[string][]string{}
	for file, text := range e.Changed {
		all[file] = cutLines(slices.Collect(strings.Lines(e.was[file])), slices.Collect(strings.Lines(text)))
	}
	return all
}

// cutLines are the runs of lines that only the first text has, each with the line before
// and behind it.
func cutLines(was, is []string) []string {
	var all []string
	for i, j := 0, 0; i < len(was); {
		if j < len(is) && was[i] == is[j] {
			i, j = i+1, j+1
			continue
		}
		from := i
		for i < len(was) && (j == len(is) || was[i] != is[j]) {
			i++
		}
		all = append(all, strings.Join(was[max(from-1, 0):min(i+1, len(was))], ""))
	}
	return all
}

// rank puts the file of users first, and that of members next.
func (s source) rank(file string) int {
	switch file {
	case s.UsersFile:
		return 0
	case s.MembersFile:
		return 1
	}
	return 2
}

// mayBeMade refuses an edit that would leave something behind that names the user:
// Terraform's next plan would fail for the whole repository.
func (e edit) mayBeMade(at source, user string) error {
	if !e.found() {
		return nil
	}
	for _, file := range e.files(at) {
		if to := e.links[file]; to != "" {
			return &ops.Error{
				Kind: ops.Refused,
				What: fmt.Sprintf("%s can't be taken out of %s by the bot: %s is a symbolic link to %s, and the bot edits files alone.", user, at.Repository, file, to),
				Next: "Take the user out of that by hand, or have the bot's settings name the file itself, then ask again.",
			}
		}
	}
	if len(e.Left) == 0 {
		return nil
	}
	return &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("%s can't be taken out of %s by the bot: the user is named in a way that it doesn't edit at %s.", user, at.Repository, mentions(e.Left)),
		Next: "Take that out there by hand, then ask again.",
	}
}

// mostMentions is how many places are told.
const mostMentions = 10

func mentions(all []terraform.Mention) string {
	var list []string
	for _, m := range all[:min(len(all), mostMentions)] {
		list = append(list, m.String())
	}
	if more := len(all) - mostMentions; more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}

// besides reads the other files that Terraform reads with the two: they may name the
// user too. It notes in e what the files are in git.
func (o *operation) besides(ctx context.Context, from source, sha string, e edit) ([]terraform.File, error) {
	two := []string{from.UsersFile, from.MembersFile}
	read, err := o.files.Read(ctx, o.github, from.Repository, sha, func([]string) func(string) bool {
		return func(file string) bool {
			beside := path.Dir(file) == path.Dir(from.UsersFile) || path.Dir(file) == path.Dir(from.MembersFile)
			return slices.Contains(two, file) || beside && (terraform.IsConfig(file) || terraform.IsValues(file))
		}
	})
	var files []terraform.File
	for _, f := range read {
		e.modes[f.Path] = f.Mode
		if f.Link != "" || f.Unseen != "" {
			e.links[f.Path] = cmp.Or(f.Link, "another place")
		}
		if !slices.Contains(two, f.Path) {
			files = append(files, terraform.File{Path: f.Path, Text: f.Text, Unseen: f.Unseen})
		}
	}
	return files, err
}

// tell says how Terraform's files were looked through, and what is left to people.
func (e edit) tell(at source, user string, inIAM bool) (facts []ops.Fact, warnings []string) {
	value := fmt.Sprintf("%s (%s), %s looked through", at.Repository, at.Branch, ops.Count(e.looked, "file"))
	switch {
	case e.found():
		value = fmt.Sprintf("aws_iam_user.%s, defined at %s in %s", e.Label, e.Defined, value)
	case inIAM:
		value = "no aws_iam_user of that name in " + value
		warnings = append(warnings, fmt.Sprintf("%s is in IAM but not in %s: it isn't Terraform's, so no pull request can remove it. It will only be quarantined.", user, at.Repository))
		if len(e.Left) > 0 {
			warnings[0] = fmt.Sprintf("%s is in IAM, and no aws_iam_user in %s has that name, but the name stands at %s. The bot doesn't edit that, so it will only quarantine the user.", user, at.Repository, mentions(e.Left))
		}
	}
	if e.found() && strings.Contains(e.Provider, ".") {
		warnings = append(warnings, fmt.Sprintf("aws_iam_user.%s goes by the provider %s: check that it is of the account of this user. In another account it is another user of the same name, whom the pull request would remove.", e.Label, e.Provider))
	}
	if len(e.Comments) > 0 {
		warnings = append(warnings, fmt.Sprintf("Comments that name the user stay: %s.", mentions(e.Comments)))
	}
	for _, u := range e.Unread {
		warnings = append(warnings, fmt.Sprintf("%s is %s, so whether it names the user isn't known.", u.Place, u.Why))
	}
	if e.unseen != "" {
		warnings = append(warnings, "Whether other files name the user isn't known. "+e.unseen)
	}
	return []ops.Fact{{Label: "Terraform", Value: value}}, warnings
}
