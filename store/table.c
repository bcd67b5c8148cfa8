/* SPDX-License-Identifier: ISC */
#include "store/table.h"

#include <errno.h>

/* Makes room for one more element of an array that holds count: arrays are
 * allocated in powers of two, so that only a count of such a power is full. */
static int grow(void **array, size_t count, size_t size)
{
	size_t bytes;
	void *larger;

	if (count & (count - 1))
		return 0;
	if (__builtin_mul_overflow(count ? 2 * count : 1, size, &bytes))
		return -ENOMEM;
	larger = realloc(*array, bytes);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	return 0;
}

#define GROW(array, count) grow((void **)&(array), count, sizeof(*(array)))

static char *copy_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* ---- conflict reports ---- */

static void conflict_release(struct conflict *conflict)
{
	free(conflict->path);
	free(conflict->reason);
}

struct conflict_report *conflict_report_new(void)
{
	return calloc(1, sizeof(struct conflict_report));
}

void conflict_report_free(struct conflict_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->count; i++)
		conflict_release(&report->conflicts[i]);
	free(report->conflicts);
	free(report->target_name);
	free(report);
}

struct conflict *conflict_report_add(struct conflict_report *report)
{
	struct conflict *conflict;

	if (GROW(report->conflicts, report->count) < 0)
		return NULL;
	conflict = &report->conflicts[report->count++];
	*conflict = (struct conflict){ 0 };
	return conflict;
}

static int add_copy(struct conflict_report *report, const struct conflict *c)
{
	struct conflict *copy = conflict_report_add(report);

	if (!copy)
		return -ENOMEM;
	*copy = *c;
	copy->path = copy_text(c->path);
	copy->reason = copy_text(c->reason);
	if ((c->path && !copy->path) || (c->reason && !copy->reason))
		return -ENOMEM;
	return 0;
}

struct conflict_report *conflict_report_copy(const struct conflict_report *r)
{
	struct conflict_report *copy = conflict_report_new();

	if (!copy)
		return NULL;
	*copy = *r;
	copy->count = 0;
	copy->conflicts = NULL;
	copy->target_name = copy_text(r->target_name);
	if (r->target_name && !copy->target_name)
		goto fail;
	for (size_t i = 0; i < r->count; i++)
		if (add_copy(copy, &r->conflicts[i]) < 0)
			goto fail;
	return copy;
fail:
	conflict_report_free(copy);
	return NULL;
}

/* ---- tables ---- */

struct table *table_new(void)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table)
		table->next_incarnation = 1;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->branch_count; i++)
		free(table->branches[i].name);
	for (size_t i = 0; i < table->gone_count; i++)
		free(table->gone[i].name);
	for (size_t i = 0; i < table->report_count; i++)
		conflict_report_free(table->reports[i]);
	free(table->branches);
	free(table->gone);
	free(table->reports);
	free(table->head_from);
	free(table->head_to);
	table_clear_journal(table);
	free(table);
}

/* ---- the journal ---- */

int table_add_held(struct table *table, uint64_t sequence)
{
	struct table_journal *j = &table->journal;

	if (GROW(j->held, j->held_count) < 0)
		return -ENOMEM;
	j->held[j->held_count++] = sequence;
	return 0;
}

int table_add_contents(struct table *table,
		       const struct table_contents *contents)
{
	struct table_journal *j = &table->journal;

	if (GROW(j->contents, j->contents_count) < 0)
		return -ENOMEM;
	j->contents[j->contents_count++] = *contents;
	return 0;
}

bool table_is_held(const struct table *table, uint64_t sequence)
{
	for (size_t i = 0; i < table->journal.held_count; i++)
		if (table->journal.held[i] == sequence)
			return true;
	return false;
}

void table_clear_journal(struct table *table)
{
	struct table_journal *j = &table->journal;

	free(j->held);
	free(j->contents);
	j->held = NULL;
	j->contents = NULL;
	j->held_count = j->contents_count = 0;
}

static int copy_journal(struct table *copy, const struct table *table)
{
	const struct table_journal *j = &table->journal;
	int r = 0;

	copy->journal.epoch = j->epoch;
	copy->journal.published = j->published;
	for (size_t i = 0; r == 0 && i < j->held_count; i++)
		r = table_add_held(copy, j->held[i]);
	for (size_t i = 0; r == 0 && i < j->contents_count; i++)
		r = table_add_contents(copy, &j->contents[i]);
	return r;
}

/* ---- copies ---- */

static int copy_branches(struct table *copy, const struct table *table)
{
	for (size_t i = 0; i < table->branch_count; i++) {
		const struct table_branch *from = &table->branches[i];
		struct table_branch *to = table_add(copy, from->incarnation,
						    from->name, &from->head);

		if (!to)
			return -ENOMEM;
		to->outside = from->outside;
		to->local = from->local;
		to->dropped = from->dropped;
	}
	return 0;
}

static int copy_rest(struct table *copy, const struct table *table)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->gone_count; i++)
		r = table_add_gone(copy, table->gone[i].name,
				   &table->gone[i].outside);
	for (size_t i = 0; r == 0 && i < table->report_count; i++) {
		const struct conflict_report *report = table->reports[i];

		r = table_set_report(copy, report->source, report->target,
				     conflict_report_copy(report));
		/* a failed copy (NULL) removes what is not there */
		if (r == 0 && copy->report_count != i + 1)
			r = -ENOMEM;
	}
	copy->head_from = copy_text(table->head_from);
	copy->head_to = copy_text(table->head_to);
	if (!copy->head_from != !table->head_from ||
	    !copy->head_to != !table->head_to)
		r = -ENOMEM;
	return r < 0 ? r : copy_journal(copy, table);
}

struct table *table_copy(const struct table *table)
{
	struct table *copy = table_new();

	if (!copy)
		return NULL;
	copy->next_incarnation = table->next_incarnation;
	if (copy_branches(copy, table) < 0 || copy_rest(copy, table) < 0) {
		table_free(copy);
		return NULL;
	}
	return copy;
}

/* ---- branches ---- */

/* Index of the first branch whose incarnation is not smaller. */
static size_t position(const struct table *table, uint64_t incarnation)
{
	size_t low = 0, high = table->branch_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->branches[middle].incarnation < incarnation)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct table_branch *table_find(struct table *table, uint64_t incarnation)
{
	size_t i = position(table, incarnation);

	if (i == table->branch_count ||
	    table->branches[i].incarnation != incarnation)
		return NULL;
	return &table->branches[i];
}

struct table_branch *table_find_name(struct table *table, const char *name)
{
	for (size_t i = 0; i < table->branch_count; i++) {
		struct table_branch *branch = &table->branches[i];

		if (!branch->dropped && strcmp(branch->name, name) == 0)
			return branch;
	}
	return NULL;
}

struct table_branch *table_add(struct table *table, uint64_t incarnation,
			       const char *name, const struct oid *head)
{
	size_t i = position(table, incarnation);
	struct table_branch *branch;
	char *copy;

	if (GROW(table->branches, table->branch_count) < 0)
		return NULL;
	copy = strdup(name);
	if (!copy)
		return NULL;
	branch = &table->branches[i];
	memmove(branch + 1, branch,
		(table->branch_count - i) * sizeof(*branch));
	table->branch_count++;
	*branch = (struct table_branch){
		.incarnation = incarnation, .name = copy, .head = *head,
	};
	return branch;
}

static void remove_report(struct table *table, size_t i)
{
	conflict_report_free(table->reports[i]);
	table->report_count--;
	memmove(&table->reports[i], &table->reports[i + 1],
		(table->report_count - i) * sizeof(*table->reports));
}

void table_remove(struct table *table, uint64_t incarnation)
{
	struct table_branch *branch = table_find(table, incarnation);
	size_t after;

	if (!branch)
		return;
	free(branch->name);
	after = table->branches + table->branch_count - (branch + 1);
	memmove(branch, branch + 1, after * sizeof(*branch));
	table->branch_count--;
	for (size_t i = table->report_count; i-- > 0;) {
		const struct conflict_report *report = table->reports[i];

		if (report->source == incarnation ||
		    report->target == incarnation)
			remove_report(table, i);
	}
}

int table_set_report(struct table *table, uint64_t source, uint64_t target,
		     struct conflict_report *report)
{
	size_t i = 0;

	while (i < table->report_count &&
	       (table->reports[i]->source != source ||
		table->reports[i]->target != target))
		i++;
	if (!report) {
		if (i < table->report_count)
			remove_report(table, i);
		return 0;
	}
	report->source = source;
	report->target = target;
	if (i < table->report_count) {
		conflict_report_free(table->reports[i]);
	} else if (GROW(table->reports, table->report_count) < 0) {
		conflict_report_free(report);
		return -ENOMEM;
	} else {
		table->report_count++;
	}
	table->reports[i] = report;
	return 0;
}

/* ---- refs to be deleted ---- */

struct table_ref *table_find_gone(struct table *table, const char *name)
{
	for (size_t i = 0; i < table->gone_count; i++)
		if (strcmp(table->gone[i].name, name) == 0)
			return &table->gone[i];
	return NULL;
}

int table_add_gone(struct table *table, const char *name,
		   const struct oid *outside)
{
	char *copy;

	if (GROW(table->gone, table->gone_count) < 0)
		return -ENOMEM;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	table->gone[table->gone_count++] = (struct table_ref){
		.name = copy, .outside = *outside,
	};
	return 0;
}

void table_remove_gone(struct table *table, struct table_ref *ref)
{
	size_t after = table->gone + table->gone_count - (ref + 1);

	free(ref->name);
	memmove(ref, ref + 1, after * sizeof(*ref));
	table->gone_count--;
}

bool table_names_clash(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (!*a && *b == '/') || (!*b && *a == '/');
}
