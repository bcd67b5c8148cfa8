/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"

/* Several threads change a work tree while another one cuts it and applies
 * deltas from below: for the sanitizers, and to see that what Git has in the
 * end is what the tree shows.
 *
 *	MODEL_STEPS=N	of each thread (default 1000)
 */

#define THREADS 3

static struct fixture fixture, *f = &fixture;
static _Atomic int running;
static int steps = 1000;

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % below;
}

static const char *path(uint32_t *state, char *buffer)
{
	int length = 0;

	for (uint32_t levels = 1 + draw(state, 3); levels; levels--) {
		if (length)
			buffer[length++] = '/';
		buffer[length++] = "abc"[draw(state, 3)];
	}
	buffer[length] = '\0';
	return buffer;
}

static int look(void *context, const struct listed *e)
{
	return e->number == 0;
}

static void use(struct node *n)
{
	char data[16];
	struct stat st;

	assert_int_equal(node_stat(n, &st), 0);
	if (node_is_directory(n))
		node_list(n, 0, look, NULL);
	else
		node_read(n, data, sizeof(data), 0);
	free(node_path(n));
}

static void step(uint32_t *state)
{
	char a[8], b[8];
	struct node *n;

	path(state, a);
	path(state, b);
	switch (draw(state, 11)) {
	case 0:
	case 1:
		put(f, a, b);
		break;
	case 2:
		make_dir(f, a);
		break;
	case 3:
		remove_at(f, a, draw(state, 2));
		break;
	case 4:
		move(f, a, b, draw(state, 3) ? 0 : RENAME_EXCHANGE);
		break;
	case 5:
		change_mode(f, a, draw(state, 2) ? 0755 : 0644);
		break;
	case 6:
	case 7:
		name_again(f, a, b);
		break;
	default:
		n = get(f, a);
		if (!n)
			break;
		node_writer_begin(n);
		node_write(n, "+", 1, 0, true);
		node_writer_end(n);
		use(n);
		node_unref(n);
	}
}

static void *change(void *argument)
{
	uint32_t state = (uintptr_t)argument * 2654435761u | 1;

	for (int i = 0; i < steps; i++)
		step(&state);
	running--;
	return NULL;
}

static void visit_writer(void *context, struct node *n)
{
	free(node_path(n));
}

static int visit_status(void *context, char status, const char *at)
{
	return 0;
}

/* The only one that knows the head.  Nothing may be captured between the
 * making of a delta and its application: this thread alone captures. */
static void *cut_and_apply(void *argument)
{
	struct oid old = f->head;
	struct delta *delta, *taken;
	char *at = NULL;

	while (running) {
		delta = capture(f);
		if (delta) {
			store_delta(f, delta);
			adopt(f, delta);
		}
		worktree_each_writer(f->w, visit_writer, NULL);
		worktree_each_changed(f->w, visit_status, NULL);
		assert_int_equal(delta_between(f->odb, &f->head, &old, &delta),
				 0);
		if (worktree_apply(f->w, delta, NULL, keep_delta, &taken,
				   &at) == 0)
			f->head = old;
		free(at);
		at = NULL;
		delta_free(delta);
		delta = capture(f);
		if (delta) {
			store_delta(f, delta);
			old = f->head;
			adopt(f, delta);
		}
	}
	return NULL;
}

/* What is shown, as tree_to_text prints it. */
static void print(struct buffer *b, const char *at);


static int add_to_level(void *context, const struct listed *e)
{
	return buffer_append(context, e->name, 1);
}

static int compare(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

static void print_entry(struct buffer *b, const char *at)
{
	struct node *n = get(f, at);
	char data[4096];
	ssize_t size;

	if (node_is_directory(n)) {
		print(b, at);
	} else {
		size = node_read(n, data, sizeof(data), 0);
		assert_in_range(size, 0, sizeof(data) - 1);
		buffer_printf(b, "%s%s=%.*s\n",
			      stat_of(n).st_mode & 0100 ? "x " : "", at,
			      (int)size, data);
	}
	node_unref(n);
}

static void print(struct buffer *b, const char *at)
{
	scoped_buffer struct buffer names = { 0 };
	struct node *dir = get(f, at);

	assert_int_equal(node_list(dir, 0, add_to_level, &names), 0);
	if (names.length)
		qsort(names.data, names.length, 1, compare);
	for (size_t i = 0; i < names.length; i++) {
		scoped_buffer struct buffer below = { 0 };

		buffer_printf(&below, "%s%s%c", at, *at ? "/" : "",
			      names.data[i]);
		print_entry(b, below.data);
	}
	node_unref(dir);
}

static void threads_leave_what_the_tree_shows(void **state)
{
	scoped_buffer struct buffer b = { 0 };
	pthread_t threads[THREADS + 1];

	if (getenv("MODEL_STEPS"))
		steps = atoi(getenv("MODEL_STEPS"));
	fixture_open(f, "a/a=1\na/b=2\nb=3\nc/a/a=4\n");
	running = THREADS;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, change,
						(void *)(i + 1)), 0);
	assert_int_equal(pthread_create(&threads[THREADS], NULL, cut_and_apply,
					NULL), 0);
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	cut(f);
	print(&b, "");
	assert_head(f, b.data ? b.data : "");
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_leave_what_the_tree_shows),
	};

	return cmocka_run_group_tests_name("worktree_threads", tests, NULL,
					   NULL);
}
