package deleteaccount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	cost "github.com/aws/aws-sdk-go-v2/service/costexplorer/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
)

// delegations are the services that an account is a delegated administrator of.
func delegations(ctx context.Context, client *organizations.Client, id string) ([]string, error) {
	var services []string
	pages := organizations.NewListDelegatedServicesForAccountPaginator(client, &organizations.ListDelegatedServicesForAccountInput{AccountId: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if _, none := errors.AsType[*types.AccountNotRegisteredException](err); none {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list what account %s administers: %w", id, err)
		}
		for _, s := range page.DelegatedServices {
			services = append(services, aws.ToString(s.ServicePrincipal))
		}
	}
	return services, nil
}

// evidence is what an approver needs to know. It adds to d what the run compares later.
func (o *operation) evidence(ctx context.Context, r ops.Request, client *organizations.Client, d *data, progress ops.Progress) ([]ops.Fact, []string, error) {
	a := &d.Account
	var facts []ops.Fact
	var warnings []string
	add := func(label string, values ...string) {
		if len(values) == 0 {
			values = []string{"none"}
		}
		facts = append(facts, ops.Fact{Label: label, Value: strings.Join(values, "; ")})
	}
	add("Account", a.Name+", "+a.ID+", "+a.Email)
	add("Where", a.where())
	add("State", a.State)
	add("Joined", a.Joined.Format("2 Jan 2006"))
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
		tags = append(tags, key+"="+a.Tags[key])
	}
	add("Tags", tags...)
	add("Delegated administrator of") // otherwise it is refused
	for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
		if value := a.Tags[key]; same(key, "is-production") && value != "" && !same(value, "false") {
			warnings = append(warnings, "Its tag says that it is production: "+key+"="+value+".")
		}
	}
	if other := a.Tags[tagRequest]; other != "" && other != r.ID {
		warnings = append(warnings, "An earlier request has tagged it: "+tagRequest+"="+other+".")
	}
	if warning := noRoom(d, r); warning != "" {
		warnings = append(warnings, warning)
	}
	attached, err := controls(ctx, client, append(slices.Clone(a.Path), Unit{a.ID, "the account"}))
	if err != nil {
		return nil, nil, o.explainLook(err)
	}
	add("Service control policies", texts(attached)...)
	if d.Disabled.ID != "" {
		there, warning, err := o.disabling(ctx, client, d, attached)
		if err != nil {
			return nil, nil, o.explainLook(err)
		}
		facts = append(facts, there...)
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	progress("reading what it costs")
	spent, warned := o.spending(ctx, r, a, time.Now().UTC())
	facts, warnings = append(facts, spent...), append(warnings, warned...)
	progress("counting the accounts of the organisation")
	members, err := o.members(ctx, r)
	if err != nil {
		return nil, nil, o.explainLook(err)
	}
	closed := r.Called[closeAction]
	quota := o.settings.Quota.of(members)
	add("Closed in 30 days", fmt.Sprintf("%d of %d that AWS allows an organisation of %d accounts; accounts closed without this bot are not counted", len(closed), quota, members))
	if len(closed) >= quota {
		warnings = append(warnings, fmt.Sprintf("AWS's quota of %d is used up: closing will wait until %s.", quota, until(closed, quota).Format("2 Jan 2006 15:04 UTC")))
	}
	add("The owner's agreement", only(r, "agreement"))
	add("Not checked", "what runs in it, reserved instances, domains, Marketplace subscriptions and backups: "+r.By+" says that they are dealt with")
	warnings = append(warnings, "Its e-mail address "+a.Email+" can't be used for another account afterwards.")
	return facts, warnings, nil
}

// mostTags is how many tags an account can have; those of AWS's own aren't counted.
// https://docs.aws.amazon.com/general/latest/gr/aws_tagging.html
const mostTags = 50

// noRoom warns of an account that has so many tags that it can't bear the request's.
func noRoom(d *data, r ops.Request) string {
	if d.Disabled.ID == "" || ours(r, &d.Account) {
		return ""
	}
	count := 0
	for key := range d.Account.Tags {
		if !strings.HasPrefix(key, "aws:") {
			count++
		}
	}
	var more []string
	for _, key := range []string{tagRequest, tagFrom} {
		if _, has := d.Account.Tags[key]; !has {
			more = append(more, key)
		}
	}
	if count+len(more) <= mostTags {
		return ""
	}
	return fmt.Sprintf("It has %d of the %d tags that AWS allows an account, so there is no room for %s. It is disabled all the same, by the bot's own record; people who look at it in the console don't see whose it is.",
		count, mostTags, strings.Join(more[max(0, mostTags-count):], " and "))
}

// quotaDays is the time that AWS's quota counts.
const quotaDays = 30 * 24 * time.Hour

// until is when there is room in the quota again, by the times of what was closed.
func until(closed []time.Time, quota int) time.Time {
	sorted := slices.SortedFunc(slices.Values(closed), time.Time.Compare)
	return sorted[len(sorted)-quota].Add(quotaDays)
}

// month is a calendar month and what the account cost in it.
type month struct {
	from, to time.Time
	name     string // "October", "November so far"
	services []spent
}

// spending is what an account costs, by service, and when it was last used, as
// far as Cost Explorer tells.
func (o *operation) spending(ctx context.Context, r ops.Request, a *Account, now time.Time) (facts []ops.Fact, warnings []string) {
	session, err := o.looking(r, a.ID)
	if err != nil {
		return nil, []string{"What it costs is not known: " + ops.Words(err, r.ID)}
	}
	ctx, cancel := context.WithTimeout(ctx, costsFor)
	defer cancel()
	client := costexplorer.NewFromConfig(session)
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, -1, 0)
	months := []month{{from: last, to: first, name: last.Format("January")}, {from: first, to: now.AddDate(0, 0, 1), name: first.Format("January") + " so far"}}
	for i := range months {
		m := &months[i]
		if m.services, err = costs(ctx, client, a.ID, m.from, m.to, cost.GranularityMonthly, "SERVICE"); err != nil {
			return facts, append(warnings, "What it costs is not known: "+ops.Words(o.explainLook(err), r.ID))
		}
		for _, s := range m.services {
			warning := fmt.Sprintf("It pays for a commitment, %s, which goes on to be billed when it is closed.", s.name)
			if strings.HasPrefix(s.name, "Savings Plans for") && s.amount > 0 && !slices.Contains(warnings, warning) {
				warnings = append(warnings, warning)
			}
		}
		total, names := sum(m.services)
		text := fmt.Sprintf("$%.2f", total)
		if len(names) > 0 {
			text += ": " + strings.Join(names, ", ")
		}
		facts = append(facts, ops.Fact{Label: strings.Replace("Cost of "+m.name, m.from.Format("January"), m.from.Format("January 2006"), 1), Value: text})
		if total >= o.settings.WarnSpend && o.settings.WarnSpend > 0 && i == 0 {
			warnings = append(warnings, fmt.Sprintf("Its cost in %s, $%.2f, is not below $%.0f a month.", m.name, total, o.settings.WarnSpend))
		}
	}
	days, err := costs(ctx, client, a.ID, now.AddDate(0, 0, -lastUsed), now.AddDate(0, 0, 1), cost.GranularityDaily, "")
	if err != nil {
		return facts, append(warnings, "When it was last used is not known: "+ops.Words(o.explainLook(err), r.ID))
	}
	used := time.Time{} // zero: not in these days
	for _, d := range days {
		if day, err := time.Parse(time.DateOnly, d.day); err == nil && d.amount >= 0.01 {
			used = day
		}
	}
	if used.IsZero() {
		return append(facts, ops.Fact{Label: "Last activity", Value: fmt.Sprintf("no cost in the last %d days", lastUsed)}), warnings
	}
	return append(facts, ops.Fact{Label: "Last activity", Value: "cost on " + used.Format("2 Jan 2006")}), append(warnings, inUse(used, months))
}

// inUse warns of an account that had cost on a day.
func inUse(used time.Time, months []month) string {
	for _, m := range months {
		if total, names := sum(m.services); !used.Before(m.from) && used.Before(m.to) && len(names) > 0 {
			var short []string
			for _, name := range names {
				name, _, _ = strings.Cut(name, " $")
				if name = cmp.Or(called[name], name); !slices.Contains(short, name) {
					short = append(short, name)
				}
			}
			return fmt.Sprintf("It cost $%.2f in %s (%s). Ask its owner before you approve.", total, m.name, strings.Join(short, ", "))
		}
	}
	return fmt.Sprintf("It had cost on %s. Ask its owner before you approve.", used.Format("2 Jan"))
}

// called is what people call services that Cost Explorer names at length.
var called = map[string]string{
	"Amazon Simple Storage Service":          "S3",
	"Amazon Elastic Compute Cloud - Compute": "EC2",
	"EC2 - Other":                            "EC2",
	"Amazon Relational Database Service":     "RDS",
	"AmazonCloudWatch":                       "CloudWatch",
	"Amazon Virtual Private Cloud":           "VPC",
	"AWS Key Management Service":             "KMS",
}

// costsFor is how long reading the costs may take: nothing depends on them.
const costsFor = time.Minute

// lastUsed is how many days back activity is looked for: Cost Explorer keeps days that long.
const lastUsed = 30

// spent is one amount, in US dollars.
type spent struct {
	name   string // of the service, or of what else it is grouped by
	day    string // on which its period begins
	amount float64
}

// costs reads an account's costs.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html
func costs(ctx context.Context, client *costexplorer.Client, id string, from, to time.Time, granularity cost.Granularity, by string) ([]spent, error) {
	in := &costexplorer.GetCostAndUsageInput{
		Granularity: granularity, Metrics: []string{"UnblendedCost"},
		TimePeriod: &cost.DateInterval{Start: aws.String(from.Format(time.DateOnly)), End: aws.String(to.Format(time.DateOnly))},
		Filter:     &cost.Expression{Dimensions: &cost.DimensionValues{Key: cost.DimensionLinkedAccount, Values: []string{id}}},
	}
	if by != "" {
		in.GroupBy = []cost.GroupDefinition{{Type: cost.GroupDefinitionTypeDimension, Key: aws.String(by)}}
	}
	byName := map[string]float64{}
	var list []spent
	// The SDK has no paginator for it.
	for {
		out, err := client.GetCostAndUsage(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("read what account %s costs: %w", id, err)
		}
		for _, period := range out.ResultsByTime {
			for _, group := range period.Groups {
				amount, err := strconv.ParseFloat(aws.ToString(group.Metrics["UnblendedCost"].Amount), 64)
				if err != nil || len(group.Keys) == 0 {
					return nil, fmt.Errorf("read what account %s costs: %q is no amount", id, aws.ToString(group.Metrics["UnblendedCost"].Amount))
				}
				byName[group.Keys[0]] += amount
			}
			if total, ok := period.Total["UnblendedCost"]; ok && by == "" {
				amount, err := strconv.ParseFloat(aws.ToString(total.Amount), 64)
				if err != nil {
					return nil, fmt.Errorf("read what account %s costs: %q is no amount", id, aws.ToString(total.Amount))
				}
				list = append(list, spent{day: aws.ToString(period.TimePeriod.Start), amount: amount})
			}
		}
		if in.NextPageToken = out.NextPageToken; aws.ToString(in.NextPageToken) == "" {
			break
		}
	}
	for name, amount := range byName {
		list = append(list, spent{name: name, amount: amount})
	}
	return list, nil
}

// sum adds amounts up and names the greatest.
func sum(list []spent) (total float64, names []string) {
	slices.SortFunc(list, func(a, b spent) int { return cmp.Or(cmp.Compare(b.amount, a.amount), cmp.Compare(a.name, b.name)) })
	for _, s := range list {
		total += s.amount
		if len(names) < 8 && s.amount >= 0.005 {
			names = append(names, fmt.Sprintf("%s $%.2f", s.name, s.amount))
		}
	}
	return total, names
}
