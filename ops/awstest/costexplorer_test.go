package awstest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	s3Service  = "Amazon Simple Storage Service"
	ec2Service = "Amazon Elastic Compute Cloud - Compute"
)

// costDay is the day of all tests of costs: the 11th of November.
var costDay = time.Date(2026, 11, 11, 23, 30, 0, 0, time.UTC)

func newBill(t *testing.T, policy string) *estate {
	t.Helper()
	e := newEstate(t, awstest.Options{Now: func() time.Time { return costDay }}, policy)
	c := e.CostExplorer()
	c.SetCost(payments, "2026-09", s3Service, 3)
	c.SetCost(payments, "2026-10", s3Service, 0.1)
	c.SetCost(payments, "2026-10", ec2Service, 0.2)
	c.SetCost(staging, "2026-10", s3Service, 31)
	c.SetCost(payments, "2026-11", s3Service, 22)
	return e
}

func (e *estate) costs() *costexplorer.Client {
	return costexplorer.NewFromConfig(e.session())
}

func costInput(start, end string, change ...func(*costexplorer.GetCostAndUsageInput)) *costexplorer.GetCostAndUsageInput {
	in := &costexplorer.GetCostAndUsageInput{
		TimePeriod:  &types.DateInterval{Start: &start, End: &end},
		Granularity: types.GranularityMonthly, Metrics: []string{"UnblendedCost"},
	}
	for _, f := range change {
		f(in)
	}
	return in
}

func groupBy(keys ...string) func(*costexplorer.GetCostAndUsageInput) {
	return func(in *costexplorer.GetCostAndUsageInput) {
		for _, key := range keys {
			in.GroupBy = append(in.GroupBy, types.GroupDefinition{Type: types.GroupDefinitionTypeDimension, Key: aws.String(key)})
		}
	}
}

func costOf(key types.Dimension, values ...string) types.Expression {
	return types.Expression{Dimensions: &types.DimensionValues{Key: key, Values: values}}
}

func filter(f types.Expression) func(*costexplorer.GetCostAndUsageInput) {
	return func(in *costexplorer.GetCostAndUsageInput) { in.Filter = &f }
}

func daily(in *costexplorer.GetCostAndUsageInput) { in.Granularity = types.GranularityDaily }

// bill is what is answered, page by page, as lines: the period, with ~ when it is estimated, the keys of the group, the amount.
func bill(t *testing.T, c *costexplorer.Client, in *costexplorer.GetCostAndUsageInput) (lines []string, pages int) {
	t.Helper()
	for {
		out, err := c.GetCostAndUsage(t.Context(), in)
		check(t, err)
		pages++
		for _, r := range out.ResultsByTime {
			period := *r.TimePeriod.Start + " " + *r.TimePeriod.End
			if r.Estimated {
				period += " ~"
			}
			line := func(keys []string, metrics map[string]types.MetricValue) {
				m := metrics["UnblendedCost"]
				lines = append(lines, strings.Join(append([]string{period}, keys...), " | ")+" | "+*m.Amount+" "+*m.Unit)
			}
			if len(in.GroupBy) == 0 {
				line(nil, r.Total)
			} else if len(r.Groups) == 0 {
				lines = append(lines, period+" | nothing")
			}
			for _, g := range r.Groups {
				line(g.Keys, g.Metrics)
			}
		}
		if out.NextPageToken == nil {
			return lines, pages
		}
		next := *in
		next.NextPageToken = out.NextPageToken
		in = &next
	}
}

func TestCosts(t *testing.T) {
	e := newBill(t, allowAll)
	c := e.costs()
	one := filter(costOf(types.DimensionLinkedAccount, payments))
	for _, test := range []struct {
		name string
		in   *costexplorer.GetCostAndUsageInput
		want []string
	}{
		{"last month of one account", costInput("2026-10-01", "2026-11-01", one), []string{"2026-10-01 2026-11-01 | 0.3 USD"}},
		{"an account without costs", costInput("2026-10-01", "2026-11-01", filter(costOf(types.DimensionLinkedAccount, nobodyIs))), []string{
			"2026-10-01 2026-11-01 | 0 USD",
		}},
		{"three months", costInput("2026-09-01", "2026-12-01", one), []string{
			"2026-09-01 2026-10-01 | 3 USD", "2026-10-01 2026-11-01 | 0.3 USD", "2026-11-01 2026-12-01 ~ | 22 USD",
		}},
		{"thirty days that are parts of months", costInput("2026-10-30", "2026-11-12"), []string{
			"2026-10-30 2026-11-01 | 2.0193548387 USD", "2026-11-01 2026-11-12 ~ | 22 USD",
		}},
		{"days", costInput("2026-10-31", "2026-11-02", one, daily), []string{
			"2026-10-31 2026-11-01 | 0.0096774194 USD", "2026-11-01 2026-11-02 ~ | 2 USD",
		}},
		{"today and what is still to come", costInput("2026-11-11", "2026-11-13", daily), []string{
			"2026-11-11 2026-11-12 ~ | 2 USD", "2026-11-12 2026-11-13 ~ | 0 USD",
		}},
		{"by service", costInput("2026-10-01", "2026-11-01", one, groupBy("SERVICE")), []string{
			"2026-10-01 2026-11-01 | " + ec2Service + " | 0.2 USD", "2026-10-01 2026-11-01 | " + s3Service + " | 0.1 USD",
		}},
		{"by account and service", costInput("2026-08-01", "2026-11-01", groupBy("LINKED_ACCOUNT", "SERVICE")), []string{
			"2026-08-01 2026-09-01 | nothing",
			"2026-09-01 2026-10-01 | " + payments + " | " + s3Service + " | 3 USD",
			"2026-10-01 2026-11-01 | " + payments + " | " + ec2Service + " | 0.2 USD",
			"2026-10-01 2026-11-01 | " + payments + " | " + s3Service + " | 0.1 USD",
			"2026-10-01 2026-11-01 | " + staging + " | " + s3Service + " | 31 USD",
		}},
		{"and, or, not", costInput("2026-10-01", "2026-11-01", groupBy("LINKED_ACCOUNT"), filter(types.Expression{And: []types.Expression{
			{Or: []types.Expression{costOf(types.DimensionLinkedAccount, payments), costOf(types.DimensionLinkedAccount, staging)}},
			{Not: &types.Expression{Dimensions: &types.DimensionValues{Key: types.DimensionService, Values: []string{s3Service}, MatchOptions: []types.MatchOption{types.MatchOptionEquals}}}},
		}})), []string{"2026-10-01 2026-11-01 | " + payments + " | 0.2 USD"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := bill(t, c, test.in)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("costs (-want +got):\n%s", diff)
			}
		})
	}
	out, err := c.GetCostAndUsage(t.Context(), costInput("2026-10-01", "2026-11-01", groupBy("LINKED_ACCOUNT"), func(in *costexplorer.GetCostAndUsageInput) {
		in.Metrics = append(in.Metrics, "NetAmortizedCost")
	}))
	check(t, err)
	if d := out.DimensionValueAttributes; len(d) != 2 || *d[0].Value != payments || d[0].Attributes["description"] != "payments-prod" ||
		*out.GroupDefinitions[0].Key != "LINKED_ACCOUNT" || len(out.ResultsByTime[0].Groups[0].Metrics) != 2 {
		t.Errorf("answer is %+v", out)
	}
	e.CostExplorer().SetCost(payments, "2026-10", s3Service, 0)
	if got, _ := bill(t, c, costInput("2026-10-01", "2026-11-01", one)); got[0] != "2026-10-01 2026-11-01 | 0.2 USD" {
		t.Errorf("one cost less: %q", got)
	}
	e.noProblems()
}

func TestCostsArePaged(t *testing.T) {
	e := newBill(t, allowAll)
	var whole []string
	for n := range 5 {
		id := fmt.Sprintf("5%011d", n)
		e.CostExplorer().SetCost(id, "2026-08", s3Service, float64(n+1))
		whole = append(whole, fmt.Sprintf("2026-08-01 2026-09-01 | %s | %d USD", id, n+1))
	}
	whole = append(whole, "2026-09-01 2026-10-01 | "+payments+" | 3 USD")
	e.SetPageSize(2)
	c := e.costs()
	in := costInput("2026-08-01", "2026-10-01", groupBy("LINKED_ACCOUNT"))
	got, pages := bill(t, c, in)
	if diff := cmp.Diff(whole, got); diff != "" || pages != 3 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
	first, err := c.GetCostAndUsage(t.Context(), in)
	check(t, err)
	_, err = c.GetCostAndUsage(t.Context(), costInput("2026-08-01", "2026-11-01", groupBy("LINKED_ACCOUNT"), func(in *costexplorer.GetCostAndUsageInput) {
		in.NextPageToken = first.NextPageToken
	}))
	if _, ok := errors.AsType[*types.RequestChangedException](err); !ok {
		t.Errorf("another request: %v", err)
	}
	in.NextPageToken = aws.String("x")
	_, err = c.GetCostAndUsage(t.Context(), in)
	if _, ok := errors.AsType[*types.InvalidNextTokenException](err); !ok {
		t.Errorf("a token that isn't one: %v", err)
	}
	e.noProblems()
}

func TestCostsThatCannotBeAskedFor(t *testing.T) {
	e := newBill(t, allowAll)
	c := e.costs()
	change := func(f func(*costexplorer.GetCostAndUsageInput)) *costexplorer.GetCostAndUsageInput {
		return costInput("2026-10-01", "2026-11-01", f)
	}
	one := costOf(types.DimensionLinkedAccount, payments)
	both := costOf(types.DimensionLinkedAccount, payments)
	both.Not = &one
	for _, test := range []struct {
		name    string
		in      *costexplorer.GetCostAndUsageInput
		part    string
		problem bool
	}{
		{"a month", costInput("2026-10", "2026-11"), "Start time 2026-10 is invalid", false},
		{"no end", costInput("2026-10-01", ""), "End time  is invalid", false},
		{"nothing", costInput("2026-10-01", "2026-10-01"), "should be before end date", false},
		{"the future", costInput("2026-10-01", "2026-12-02"), "end date past the beginning of next month", false},
		{"tomorrow", costInput("2026-11-12", "2026-12-01"), "no later than the current date", false},
		{"long ago", costInput("2025-09-10", "2026-11-01"), "beyond 14 months", false},
		{"no granularity", change(func(in *costexplorer.GetCostAndUsageInput) { in.Granularity = "WEEKLY" }), "granularity", false},
		{"hours", change(func(in *costexplorer.GetCostAndUsageInput) { in.Granularity = "HOURLY" }), "awstest", true},
		{"no metric", change(func(in *costexplorer.GetCostAndUsageInput) { in.Metrics = []string{} }), "metric", false},
		{"a metric there isn't", change(func(in *costexplorer.GetCostAndUsageInput) { in.Metrics = []string{"Cost"} }), "metric", false},
		{"usage", change(func(in *costexplorer.GetCostAndUsageInput) { in.Metrics = []string{"UsageQuantity"} }), "awstest", true},
		{"three groups", change(groupBy("SERVICE", "LINKED_ACCOUNT", "SERVICE")), "groupBy", false},
		{"a group twice", change(groupBy("SERVICE", "SERVICE")), "unique", false},
		{"groups by Region", change(groupBy("REGION")), "awstest", true},
		{"groups by tag", change(func(in *costexplorer.GetCostAndUsageInput) {
			in.GroupBy = []types.GroupDefinition{{Type: types.GroupDefinitionTypeTag, Key: aws.String("owner")}}
		}), "awstest", true},
		{"an empty filter", change(filter(types.Expression{})), "at least one root", false},
		{"two roots", change(filter(both)), "more than one roots", false},
		{"and of one", change(filter(types.Expression{And: []types.Expression{one}})), "And expression must have at least 2 operands", false},
		{"or of one", change(filter(types.Expression{Or: []types.Expression{one}})), "at least 2 operands", false},
		{"within and", change(filter(types.Expression{And: []types.Expression{one, {}}})), "at least one root", false},
		{"no values", change(filter(costOf(types.DimensionService))), "value", false},
		{"a resource", change(filter(costOf(types.DimensionResourceId, "x"))), "Dimension RESOURCE_ID is not allowed.", false},
		{"a type of record", change(filter(costOf(types.DimensionRecordType, "Credit"))), "awstest", true},
		{"a match option", change(filter(types.Expression{Dimensions: &types.DimensionValues{
			Key: types.DimensionService, Values: []string{"A"}, MatchOptions: []types.MatchOption{types.MatchOptionStartsWith},
		}})), "STARTS_WITH", false},
		{"tags", change(filter(types.Expression{Tags: &types.TagValues{Key: aws.String("owner"), Values: []string{"x"}}})), "awstest", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(e.Problems())
			_, err := c.GetCostAndUsage(t.Context(), test.in)
			want(t, err, "ValidationException", test.part)
			if got := len(e.Problems()) > before; got != test.problem {
				t.Errorf("problems: %q", e.Problems()[before:])
			}
		})
	}
	before := len(e.Problems())
	e.CostExplorer().SetCost(payments, "October", s3Service, 1)
	e.CostExplorer().SetCost("x", "2026-10", s3Service, 1)
	if p := e.Problems(); len(p) != before+2 {
		t.Errorf("problems: %q", p[before:])
	}
}

func TestWhoSeesCosts(t *testing.T) {
	const arn = "arn:aws:ce:us-east-1:111111111111:/GetCostAndUsage"
	ask := func(e *estate) error {
		_, err := e.costs().GetCostAndUsage(t.Context(), costInput("2026-10-01", "2026-11-01"))
		return err
	}
	for _, policy := range []string{
		allow("ce:GetCostAndUsage", "", "*"), allow("ce:Get*", `"Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}},`, arn),
	} {
		e := newBill(t, policy)
		check(t, ask(e))
		e.noProblems()
	}
	e := newBill(t, allow("ce:GetCostForecast", "", "*"))
	want(t, ask(e), "AccessDeniedException", "is not authorized to perform: ce:GetCostAndUsage on resource: "+arn+" because")

	e = newBill(t, allowAll)
	e.CostExplorer().SetEnabled(false)
	want(t, ask(e), "AccessDeniedException", "User not enabled for cost explorer access")
	e.CostExplorer().SetEnabled(true)
	e.CostExplorer().SetIngested(false)
	err := ask(e)
	if _, ok := errors.AsType[*types.DataUnavailableException](err); !ok || !strings.HasPrefix(message(err), "Data is not available.") {
		t.Errorf("got %v", err)
	}
	e.CostExplorer().SetIngested(true)
	check(t, ask(e))
	e.Throttle("ce:*", 1)
	var codes []string
	for range 2 {
		codes = append(codes, code(ask(e)))
	}
	if strings.Join(codes, ",") != ",ThrottlingException" {
		t.Errorf("throttled: %q", codes)
	}
	e.Throttle("ce:*", 0)

	// An account that isn't the management account sees its own costs only.
	e.o.SetManagement("222222222222")
	e.CostExplorer().SetCost(account, "2026-10", s3Service, 7)
	got, _ := bill(t, e.costs(), costInput("2026-10-01", "2026-11-01", groupBy("LINKED_ACCOUNT")))
	if diff := cmp.Diff([]string{"2026-10-01 2026-11-01 | " + account + " | 7 USD"}, got); diff != "" {
		t.Errorf("costs (-want +got):\n%s", diff)
	}
	e.noProblems()
}
