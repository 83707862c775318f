"""The teacher-guided wing: candidates are judged by how much their inner representation resembles a teacher's."""
