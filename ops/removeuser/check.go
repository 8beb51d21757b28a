package removeuser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// check reads back whether the very user who was shown is gone, tells by whom as
// far as that is known, and keeps what the user had. A user who was only to be
// quarantined is to be there still.
func (o *operation) check(ctx context.Context, run ops.Run) error {
	name := userOf(run.Request())
	look, err := o.reader(run.Request())
	if err != nil {
		return err
	}
	user, err := readUser(ctx, look, name)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	d, err := kept(run)
	if err != nil {
		return err
	}
	was, known, err := recall(ctx, run)
	if err != nil {
		return err
	}
	same := user != nil && d.User != nil && user.ID == d.User.ID
	only := same && onlyQuarantines(run.Plan())
	if user != nil && !only && (run.Begun().IsZero() || run.Now().Before(run.Begun().Add(settle))) {
		return ops.Again(5 * time.Second) // IAM may show it a little longer
	}
	if !same && d.User != nil {
		to, err := o.renamed(ctx, run.Request(), d.User.ID)
		if err != nil {
			return err
		}
		if to != "" {
			return o.reportRenamed(ctx, run, d.User, to, was)
		}
	}
	report := ops.Report{Final: !same}
	switch {
	case only:
		return run.Report(ctx, o.locked(user, was, run.Request().ID))
	case same:
		return run.Report(ctx, remains(user, was, run.Request().ID))
	case user != nil && d.User != nil:
		report.Summary = fmt.Sprintf("The IAM user %s (%s) is gone, and another one of the same name is there.", name, d.User.ID)
	case user != nil:
		report.Summary = fmt.Sprintf("There was no IAM user %s when this was planned, and there is one now.", name)
	case d.User == nil:
		report.Summary = fmt.Sprintf("There is no IAM user %s, as when this was planned, and %s doesn't define one any more.", name, d.Source.Repository)
	case !known:
		report.Summary = fmt.Sprintf("%s was already gone when the run began: not removed by this run.", name)
	default:
		report.Summary = name + " is removed."
	}
	if user != nil {
		report.Problems = []string{fmt.Sprintf("IAM user %s (%s), made %s, was left alone: it is another one than was asked about. If the person shouldn't have access, ask for the removal again.", name, user.ID, moment(user.Created))}
	}
	if d.User != nil {
		report.Sections = append(report.Sections, ops.Section{Title: name, Outcomes: []ops.Outcome{{Text: fmt.Sprintf("IAM user (%s) is gone", d.User.ID), State: ops.Confirmed}}}, had(d.User))
		if known && !was.Removing {
			report.Notes = append(report.Notes, "This run had taken all access away, but hadn't begun to delete the user: others did.")
		}
		report.Notes = append(report.Notes, "This can't be undone: a new user of the same name is another one to every trust policy. What it had is in the record, so that a like one can be made.")
	}
	return run.Report(ctx, report)
}

// reportRenamed reports a user who is there under another name.
func (o *operation) reportRenamed(ctx context.Context, run ops.Run, u *User, to string, was before) error {
	report := ops.Report{
		Summary:  fmt.Sprintf("%s was renamed to %s, and is not removed.", u.Name, to),
		Problems: []string{fmt.Sprintf("IAM user %s is in IAM as %s. If the user is to go, ask for the removal of %s.", u.ID, to, to)},
	}
	if was.ID != "" {
		state, err := o.stateOf(ctx, spelled(run.Request(), to), was)
		if err != nil {
			return err
		}
		report.Problems[0] += " " + state
	}
	return run.Report(ctx, report)
}

// locked reports a user who was only to be quarantined.
func (o *operation) locked(u *User, was before, request string) ops.Report {
	report := remains(u, was, request)
	report.Problems = report.Problems[1:] // that the user is there is no problem
	if report.OK() {
		report.Notes = []string{fmt.Sprintf("No file of %s defines the user, so no pull request can remove it: delete the user by hand, or press Restore.", o.settings.Repository)}
	}
	return report
}

// remains reports a user who is still there, and whether still locked out.
func remains(u *User, was before, request string) ops.Report {
	left := append([]string{"the user itself (" + u.ID + ")"}, u.left()...)
	report := ops.Report{
		Summary:  u.Name + " is not removed; it is in quarantine.",
		Problems: []string{"Still in IAM: " + strings.Join(left, ", ") + "."},
	}
	if gone := was.undone(u, request); !u.denied() || len(gone) > 0 {
		report.Summary = u.Name + " is not removed."
		report.Problems = append(report.Problems, "The quarantine isn't as this run made it: "+strings.Join(gone, ", ")+".")
	}
	return report
}

// had is what a user had, without secrets.
func had(u *User) ops.Section {
	s := ops.Section{Title: "What " + u.Name + " had"}
	add := func(label string, values []string) {
		if len(values) > 0 {
			s.Outcomes = append(s.Outcomes, ops.Outcome{Text: label + ": " + strings.Join(values, ", ")})
		}
	}
	add("groups", u.Groups)
	add("attached policies", u.Attached)
	add("inline policies", u.Inline)
	if u.Boundary != "" {
		add("permissions boundary", []string{u.Boundary})
	}
	var tags []string
	for key, value := range u.Tags {
		if !isOurs(key) {
			tags = append(tags, key+"="+value)
		}
	}
	slices.Sort(tags)
	add("tags", tags)
	return s
}
